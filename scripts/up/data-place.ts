/**
 * Where PostgreSQL's data goes: `postgres` in the stack's directory.
 *
 * PostgreSQL refuses to run as root and then runs as another account, which must be able to enter every folder above its data. A stack
 * below a closed home (mode 700) keeps its data apart, in /var/lib, and `postgres` is a link to it. The link decides from then on: data is
 * found again when the folders above are opened or closed, and data of a directory that was removed is never taken for that of a new one.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { mayPostgresEnter } from "@florin/runtime/postgres";

const apartFolder = "/var/lib/florin";

/** The data folder of the stack of `directory`; undefined before `makeDataPlace`. It need not exist yet. */
export function dataPlace(directory: string): string | undefined {
  const beside = join(directory, "postgres");
  const entry = lstatSync(beside, { throwIfNoEntry: false });
  if (entry === undefined) return undefined;
  return entry.isSymbolicLink() ? readlinkSync(beside) : beside;
}

/** Decides at the first start; safe to repeat. */
export function makeDataPlace(directory: string, apart: string = apartFolder): string {
  const known = dataPlace(directory);
  if (known !== undefined) return known;
  const beside = join(directory, "postgres");
  if (mayPostgresEnter(beside)) return beside;
  if (mkdirSync(apart, { recursive: true }) !== undefined) chmodSync(apart, 0o755);
  const name = createHash("sha256").update(directory).digest("hex").slice(0, 16);
  removeOrphans(apart, name);
  const place = join(apart, `${name}-${randomBytes(4).toString("hex")}`);
  symlinkSync(place, beside);
  return place;
}

export function isApart(place: string, directory: string): boolean {
  return dirname(place) !== directory;
}

/** Data of an earlier directory of this path, which was removed with its keys. One with a `postmaster.pid` may be in use and is left alone. */
function removeOrphans(apart: string, name: string): void {
  for (const entry of readdirSync(apart)) {
    if (!new RegExp(`^${name}-[0-9a-f]{8}$`).test(entry) || existsSync(join(apart, entry, "postmaster.pid"))) continue;
    for (const path of [entry, `${entry}.new`, `${entry}.password`]) rmSync(join(apart, path), { recursive: true, force: true });
  }
}
