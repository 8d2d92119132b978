import { renameSync, writeFileSync } from "node:fs";

/** Writes JSON for the owner's eyes only. A reader sees the old file or the new one, never half of one, whenever this process is killed. */
export function writeWhole(file: string, value: unknown): void {
  const draft = `${file}.${process.pid}.tmp`;
  writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, file);
}
