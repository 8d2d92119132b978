/** The files of the repository that people write, and what each one imports. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { rootFolder } from "../root-folder.ts";

export type Import = { readonly specifier: string; readonly isTypeOnly: boolean };
export type SourceFile = { readonly path: string; readonly text: string; readonly imports: readonly Import[] };
export type Manifest = {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly workspaces?: readonly string[];
};

const skippedFolders: ReadonlySet<string> = new Set(["node_modules", ".git", ".florin", "coverage"]);
/** Written by scripts: not for people to keep tidy. */
const generated: readonly string[] = ["gen/src/", "kernel/src/currency-table.ts"];

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(rootFolder, folder, "package.json"), "utf8")) as Manifest;
}

export const workspaces: readonly string[] = readManifest(".").workspaces ?? [];

/** Paths of all files below `folder`, relative to the root. */
export function listFiles(folder: string): string[] {
  if (!existsSync(join(rootFolder, folder))) return [];
  return readdirSync(join(rootFolder, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = normalize(join(folder, entry.name));
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : listFiles(path);
    return entry.isFile() ? [path] : [];
  });
}

export function readSources(folder: string): SourceFile[] {
  return listFiles(folder)
    .filter((path) => /\.(ts|mjs|js|mts)$/.test(path) && !generated.some((prefix) => path.startsWith(prefix)))
    .map((path) => {
      const text = readFileSync(join(rootFolder, path), "utf8");
      return { path, text, imports: findImports(text) };
    });
}

const importPattern = /^\s*(?:import|export)\s+(type\s+)?([^"';]*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;

/** Static and dynamic imports and re-exports. `isTypeOnly` when nothing of it is left at run time. */
export function findImports(text: string): Import[] {
  return [...text.matchAll(importPattern)].map((match) => ({
    specifier: match[3] ?? match[4] ?? "",
    isTypeOnly: match[1] !== undefined || isListOfTypes(match[2]),
  }));
}

/** `{ type A, type B } from` leaves nothing either. */
function isListOfTypes(clause: string | undefined): boolean {
  const list = /^\{([^}]*)\}\s*from\s+$/s.exec(clause?.trimStart() ?? "")?.[1];
  const names = (list ?? "").split(",").map((name) => name.trim());
  return list !== undefined && names.filter((name) => name !== "").every((name) => name.startsWith("type "));
}

/** Where a relative import leads, relative to the root; undefined for a package. */
export function resolveRelative(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? normalize(join(dirname(from), specifier)) : undefined;
}
