/**
 * Folders of tests, under the system's temporary folder, open to other accounts (the database runs under its own).
 *
 * Removed when the process ends; what a killed test left is removed by the next one: the name holds the process id.
 */
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const prefix = "florin-test-";
const made: string[] = [];

/** A new empty folder. */
export function temporaryFolder(): string {
  if (made.length === 0) {
    removeLeftOvers();
    process.once("exit", () => {
      for (const folder of made) rmSync(folder, { recursive: true, force: true });
    });
  }
  const folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  chmodSync(folder, 0o755);
  made.push(folder);
  return folder;
}

function removeLeftOvers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length).split("-")[0]) : Number.NaN;
    if (Number.isSafeInteger(pid) && pid > 1 && !isAlive(pid)) removeIfOurs(join(tmpdir(), name));
  }
}

/** What another account left is for that account to remove. */
function removeIfOurs(folder: string): void {
  const uid = process.getuid?.();
  const owner = statSync(folder, { throwIfNoEntry: false })?.uid;
  if (uid === undefined || uid === 0 || uid === owner) rmSync(folder, { recursive: true, force: true });
}

/** A process with this id runs, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown && thrown.code === "EPERM";
  }
}
