/**
 * What failed, told once more where everybody looks first: in the last lines of a run. One short text per failure, appended to the file of
 * FLORIN_FAILURES_FILE as it happens, so that whoever runs several commands can close with all of them. Without that variable nothing is written.
 */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const variable = "FLORIN_FAILURES_FILE";
const linesMax = 12;
const charactersMax = 1_500;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences
const colours = /\u001b\[[0-9;]*m/g;

/** The title, and the reason's first lines behind it: a diff of a whole page is in the output above. */
export function renderFailure(title: string, reason: string): string {
  const lines = reason.replaceAll(colours, "").slice(0, charactersMax).trimEnd().split("\n");
  const shown = lines.length > linesMax ? [...lines.slice(0, linesMax), "…"] : lines;
  return [`FAILED ${title}`, ...shown.map((line) => `  ${line}`.trimEnd())].join("\n");
}

export function noteFailure(title: string, reason: string): void {
  const file = process.env[variable];
  if (file !== undefined && file !== "") appendFileSync(file, `${renderFailure(title, reason)}\n`);
}

/** All that is noted from here on; where nobody asked for a file, in one of ours that `close` removes. */
export function gatherFailures(): { readonly text: () => string; readonly close: () => void } {
  const asked = process.env[variable];
  const folder = asked === undefined || asked === "" ? mkdtempSync(join(tmpdir(), "florin-failures-")) : undefined;
  const file = folder === undefined ? String(asked) : join(folder, "failures");
  if (folder !== undefined) process.env[variable] = file;
  const read = () => (existsSync(file) ? readFileSync(file, "utf8") : "");
  const before = read().length;
  return {
    text: () => read().slice(before).trimEnd(),
    close() {
      if (folder === undefined) return;
      rmSync(folder, { recursive: true, force: true });
      delete process.env[variable];
    },
  };
}
