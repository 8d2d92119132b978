/** The directory of a stack: made, opened as far as it must be, and wiped for a fresh start. */
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { dataPlace } from "./data-place.ts";

/** What a stack writes besides its state files. Only these names are ever deleted: the directory may be the user's own. */
const contents: readonly string[] = [
  "postgres",
  "postgres.new",
  "postgres.password",
  "redis",
  "nats",
  "logs",
  "tls",
  "compiled",
  "secrets.json",
];

/**
 * Makes the directory for its owner only; under root others may pass through (not list), because PostgreSQL runs as another account. One
 * that holds other things keeps its mode: `--directory /tmp` must not close /tmp. What we write into it is closed by itself.
 */
export function makePlace(directory: string): void {
  assertOurs(directory);
  mkdirSync(dirname(directory), { recursive: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (readdirSync(directory).length === 0) chmodSync(directory, process.getuid?.() === 0 ? 0o711 : 0o700);
  mkdirSync(join(directory, "logs"), { recursive: true, mode: 0o700 });
}

/** Accounts that take turns would lock each other out of keys and data. */
function assertOurs(directory: string): void {
  const uid = statSync(join(directory, "secrets.json"), { throwIfNoEntry: false })?.uid;
  if (uid !== undefined && process.getuid !== undefined && uid !== process.getuid())
    throw new Error(`${directory} holds the stack of another account (user id ${uid}): run this as that one, or use another --directory`);
}

export function wipePlace(directory: string): void {
  const data = dataPlace(directory);
  const dataPaths = data === undefined ? [] : [data, `${data}.new`, `${data}.password`];
  for (const path of [...dataPaths, ...contents.map((name) => join(directory, name))]) rmSync(path, { recursive: true, force: true });
  makePlace(directory);
}
