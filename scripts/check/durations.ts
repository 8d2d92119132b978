/**
 * How long things took: one line per step and per test file, appended to the file of FLORIN_DURATIONS_FILE as they end, so that whoever runs
 * several commands can tell at the end where the time went. Without that variable nothing is written.
 */
import { appendFileSync } from "node:fs";

export type DurationOf = "step" | "file";

/** `seconds<TAB>step|file<TAB>title`: made to be sorted by `sort -n`. */
export function renderDuration(of: DurationOf, title: string, durationMs: number): string {
  return [(durationMs / 1_000).toFixed(1), of, title.replaceAll(/\s+/g, " ")].join("\t");
}

export function noteDuration(of: DurationOf, title: string, durationMs: number): void {
  const file = process.env["FLORIN_DURATIONS_FILE"];
  if (file !== undefined && file !== "") appendFileSync(file, `${renderDuration(of, title, durationMs)}\n`);
}
