/** A whole scan: every path, file by file, and what came of it. Prints through `print` only; knows no process. */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { holdsCardNumber } from "../text.ts";
import { listFiles } from "./list-files.ts";
import type { ScanOptions } from "./options.ts";
import { scanStream } from "./scan-stream.ts";

export type ScanSummary = {
  readonly files: number;
  readonly bytes: number;
  readonly numbers: number;
  readonly testNumbers: number;
  readonly unread: number;
  readonly skipped: number;
};

/** Findings of one file that are printed for people; JSON has all. */
const linesPerFileMax = 100;
const readBytes = 1_048_576;
const standardInput = "-";

type Counts = { -readonly [Name in keyof ScanSummary]: ScanSummary[Name] };

export async function scanPaths(options: ScanOptions, io: { stdin: Readable; print: (line: string) => void }): Promise<ScanSummary> {
  const counts: Counts = { files: 0, bytes: 0, numbers: 0, testNumbers: 0, unread: 0, skipped: 0 };
  const tell = (kind: "unread" | "skipped", path: string, why: string, at?: number): void => {
    counts[kind] += 1;
    io.print(options.isJson ? JSON.stringify({ kind, path, at, why }) : `${kind}  ${path}${at === undefined ? "" : `:${at}`}  ${why}`);
  };
  const scanOne = async (source: Readable, path: string): Promise<void> => {
    let lines = 0;
    counts.files += 1;
    counts.bytes += await scanStream(source, path, {
      onUnread: ({ at, why }) => tell("unread", path, why, at),
      onFinding: ({ start, encodings, masked, brand, isTestNumber }) => {
        counts[isTestNumber ? "testNumbers" : "numbers"] += 1;
        lines += 1;
        if (options.isJson)
          io.print(JSON.stringify({ kind: "found", path, at: start, encodings, masked, brand, is_test_number: isTestNumber }));
        else if (lines <= linesPerFileMax) io.print(lineOf({ path, start, encodings, masked, brand, isTestNumber }));
      },
    });
    if (!options.isJson && lines > linesPerFileMax) io.print(`found  ${path}  and ${lines - linesPerFileMax} more in this file`);
  };
  for (const path of options.paths) {
    if (path === standardInput) {
      await scanOne(io.stdin, "-");
      continue;
    }
    for await (const found of listFiles(path)) {
      if (holdsCardNumber(found.path)) counts.numbers += tellName(found.path, io.print, options.isJson);
      if (found.kind === "file") await scanOne(createReadStream(found.path, { highWaterMark: readBytes }), shownPath(found.path));
      else tell(found.kind, shownPath(found.path), found.why);
    }
  }
  io.print(options.isJson ? JSON.stringify({ kind: "summary", ...counts }) : summaryLine(counts));
  return counts;
}

/** A name may be the leak. It is not printed: the folder is, and the length of the name. */
function shownPath(path: string): string {
  if (!holdsCardNumber(path)) return path;
  const parts = path.split("/");
  return parts.map((part) => (holdsCardNumber(part) ? `[a name of ${part.length} characters with a card number]` : part)).join("/");
}

function tellName(path: string, print: (line: string) => void, isJson: boolean): number {
  print(
    isJson ? JSON.stringify({ kind: "found", path: shownPath(path), in: "name" }) : `found  ${shownPath(path)}  in the name of the file`,
  );
  return 1;
}

type Shown = {
  readonly path: string;
  readonly start: number;
  readonly encodings: readonly string[];
  readonly masked: string;
  readonly brand: string;
  readonly isTestNumber: boolean;
};

function lineOf({ path, start, encodings, masked, brand, isTestNumber }: Shown): string {
  const how = encodings.length === 0 ? "in clear" : encodings.join(" > ");
  return `${isTestNumber ? "test number" : "found"}  ${path}:${start}  ${masked}  ${brand}  ${how}`;
}

function summaryLine({ files, bytes, numbers, testNumbers, unread, skipped }: ScanSummary): string {
  return `${numbers} card numbers, ${testNumbers} published test numbers, in ${files} files (${bytes} bytes); ${unread} places unread, ${skipped} entries skipped`;
}

/** 0 nothing, 1 found, 2 nothing found but not everything was read. */
export function exitCodeOf({ numbers, testNumbers, unread }: ScanSummary, { countsTestNumbers }: ScanOptions): 0 | 1 | 2 {
  if (numbers > 0 || (countsTestNumbers && testNumbers > 0)) return 1;
  return unread > 0 ? 2 : 0;
}
