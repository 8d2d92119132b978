/** The words of `florin scan`. */
import { parseArgs } from "node:util";

export type ScanOptions = {
  /** Files and folders; "-" is standard input. */
  readonly paths: readonly string[];
  /** One JSON object per line. */
  readonly isJson: boolean;
  /** Published test numbers are findings like any other. */
  readonly countsTestNumbers: boolean;
};

export const usage = `npm run scan -- [options] <path>…
npx florin scan [options] <path>…

Looks for card numbers in files, and in folders with all below them; "-" reads standard input. Numbers are found in clear and parted, split over fields, as
base64, hex, lists of bytes, escapes of URLs, JSON, HTML and mail, UTF-16, gzip, zlib, zstd, zip, and these inside one another. Prints path, place, encoding and
the masked number, never the number.

  --json            one JSON object per line: found, unread, skipped, and a summary at the end
  --test-numbers    published test numbers count too; without it they are told apart and do not change the exit code

Exit code: 0 none found, 1 found, 2 none found but not everything could be read (or wrong use). A database: pg_dump … | npx florin scan -`;

/** Throws an Error with a sentence for whoever typed it. "help" when that was asked for. */
export function readScanOptions(args: readonly string[]): ScanOptions | "help" {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      "test-numbers": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  if (positionals.length === 0) throw new Error("say what to look through: a file, a folder, or - for standard input (--help tells more)");
  return { paths: positionals, isJson: values.json, countsTestNumbers: values["test-numbers"] };
}
