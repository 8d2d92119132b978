/**
 * What is below the paths that a scan was given, one file at a time. Links within a folder are not followed (what they lead to is scanned where it stands,
 * or was not asked for) and told as skipped, as is everything that is no file.
 */
import { lstat, opendir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";

export type Found =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "skipped"; readonly path: string; readonly why: string }
  | { readonly kind: "unread"; readonly path: string; readonly why: string };

/** Folders inside one another; more is a loop of mounts. */
const depthMax = 200;

export async function* listFiles(path: string): AsyncGenerator<Found> {
  try {
    // A path that was asked for by name is followed.
    const target = await realpath(path);
    if ((await stat(target)).isDirectory()) yield* listFolder(path, 0);
    else yield* listOne(path, target);
  } catch (thrown) {
    yield { kind: "unread", path, why: whyOf(thrown) };
  }
}

async function* listFolder(folder: string, depth: number): AsyncGenerator<Found> {
  if (depth === depthMax) {
    yield { kind: "unread", path: folder, why: `more than ${depthMax} folders deep` };
    return;
  }
  try {
    for await (const entry of await opendir(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) yield* listFolder(path, depth + 1);
      else yield* listOne(path, path);
    }
  } catch (thrown) {
    yield { kind: "unread", path: folder, why: whyOf(thrown) };
  }
}

async function* listOne(path: string, target: string): AsyncGenerator<Found> {
  try {
    const status = await lstat(target);
    if (status.isFile()) yield { kind: "file", path };
    else yield { kind: "skipped", path, why: status.isSymbolicLink() ? "a symbolic link, not followed" : "not a file" };
  } catch (thrown) {
    yield { kind: "unread", path, why: whyOf(thrown) };
  }
}

/** The system's code: its sentence repeats the path. */
export function whyOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return "code" in thrown && typeof thrown.code === "string" ? thrown.code : thrown.message;
}
