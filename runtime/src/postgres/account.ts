/**
 * The account that PostgreSQL runs as, and where it may go.
 *
 * PostgreSQL refuses to run as root. Under root it runs as the account `postgres`, made when missing; every folder above its data and its
 * binaries must then be open to that account. Everybody else runs it themselves.
 */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

export type Account = { readonly uid: number; readonly gid: number };

/** Undefined when this process is not root and may run PostgreSQL itself. */
export function accountToRunAs(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const ask = (flag: string): number => Number(execFileSync("id", [flag, "postgres"], { stdio: ["ignore", "pipe", "ignore"] }).toString());
  try {
    return { uid: ask("-u"), gid: ask("-g") };
  } catch {
    execFileSync("useradd", ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", "postgres"], {
      stdio: "ignore",
    });
    return { uid: ask("-u"), gid: ask("-g") };
  }
}

/** True when PostgreSQL, started by this process, may enter every folder above `path`. */
export function mayPostgresEnter(path: string): boolean {
  const account = accountToRunAs();
  return account === undefined || closedFolderAbove(resolve(path), account) === undefined;
}

/** The innermost existing folder above `path` (absolute) that the account may not enter. Other groups of the account do not count. */
export function closedFolderAbove(path: string, account: Account): string | undefined {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (!existsSync(folder)) continue;
    const stat = statSync(folder);
    const open = stat.uid === account.uid ? 0o100 : stat.gid === account.gid ? 0o010 : 0o001;
    if ((stat.mode & open) === 0) return folder;
  }
  return undefined;
}
