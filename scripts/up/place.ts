/** The directory of a stack: made, opened as far as it must be, and wiped for a fresh start. */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { dataPlace } from "./databases.ts";

/** What a stack writes besides its state files. Only these names are ever deleted: the directory may be the user's own. */
const contents: readonly string[] = ["postgres", "postgres.password", "redis", "nats", "logs", "tls", "secrets.json"];

/** Makes the directory for its owner only; under root others may pass through (not list), because PostgreSQL runs as another account. */
export function makePlace(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, process.getuid?.() === 0 ? 0o711 : 0o700);
  mkdirSync(join(directory, "logs"), { recursive: true, mode: 0o700 });
}

export function wipePlace(directory: string): void {
  const data = dataPlace(directory);
  for (const path of [data, `${data}.password`, ...contents.map((name) => join(directory, name))])
    rmSync(path, { recursive: true, force: true });
  makePlace(directory);
}
