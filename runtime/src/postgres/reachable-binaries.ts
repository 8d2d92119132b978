/**
 * PostgreSQL's binaries where its account can reach them.
 *
 * Under root the server runs as the account `postgres`, which must be able to enter every folder above the binaries. A checkout below a
 * closed home (mode 700) is not such a place: then the binaries are copied once, 60 MB, to a place that is.
 */

import { createHash, randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

export type Binaries = { readonly initdb: string; readonly postgres: string };

const copiesFolderDefault = "/var/lib/florin";

/** The same binaries when `isReachable`, otherwise their copy; safe to repeat and to run twice at once. */
export function reachableBinaries(
  binaries: Binaries,
  version: string,
  isReachable: (path: string) => boolean,
  copiesFolder: string = copiesFolderDefault,
): Binaries {
  if (isReachable(binaries.postgres)) return binaries;
  const source = dirname(dirname(binaries.postgres));
  const name = createHash("sha256").update(`${source} ${version}`).digest("hex").slice(0, 12);
  const target = join(copiesFolder, `postgresql-${name}`);
  if (!existsSync(target)) copyFolder(source, target);
  return { initdb: join(target, "bin", "initdb"), postgres: join(target, "bin", "postgres") };
}

/** Copies beside the target and renames, so that nobody ever sees half of it. */
function copyFolder(source: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  const draft = `${target}.${randomBytes(4).toString("hex")}`;
  cpSync(source, draft, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(draft, target);
  } catch (thrown) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(target)) throw thrown;
  }
}
