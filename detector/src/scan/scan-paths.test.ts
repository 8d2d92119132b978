import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { testCards } from "@florin/kernel/test-cards";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUpNumber } from "../testing/made-up-numbers.ts";
import { seeded } from "../testing/seeded.ts";
import { readScanOptions } from "./options.ts";
import { exitCodeOf, scanPaths } from "./scan-paths.ts";

const number = madeUpNumber(seeded(Math.floor(Math.random() * 2 ** 31)));
const testNumber = testCards.visa.number;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "florin-scan-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function scan(words: readonly string[], stdin: Readable = Readable.from([])) {
  const options = readScanOptions(words);
  if (options === "help") throw new Error("help was not asked for");
  const lines: string[] = [];
  const summary = await scanPaths(options, { stdin, print: (line) => void lines.push(line) });
  return { lines, summary, code: exitCodeOf(summary, options) };
}

function put(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
}

describe("a scan", () => {
  test("of clean files finds nothing, and says how much it looked at", async () => {
    put("clean/a.txt", "nothing here\n");
    put("clean/deep/b.txt", "1732167476695\n");
    const { lines, summary, code } = await scan([join(folder, "clean")]);
    expect([code, summary.files, summary.bytes, lines.length]).toEqual([0, 2, 27, 1]);
  });

  test("tells path, place, encoding and mask, and never the number", async () => {
    const path = put("found/a.log", `{"msg":"${Buffer.from(number).toString("base64")}"}`);
    const { lines, code } = await scan([path]);
    expect(code).toBe(1);
    expect(lines[0]).toBe(
      `found  ${path}:8  ${number.slice(0, 6)}${"*".repeat(number.length - 10)}${number.slice(-4)}  ${lines[0]?.split("  ")[3]}  base64`,
    );
    expect(lines.join("\n")).not.toContain(number);
  });

  test.each([
    ["gzip", "a.gz", gzipSync],
    ["brotli", "a.br", brotliCompressSync],
  ])("unpacks a file of %s as it flows", async (encoding, name, pack) => {
    const path = put(`packed/${name}`, pack(Buffer.from(`${"-".repeat(9_000_000)} ${number}`)));
    const { lines } = await scan(["--json", path]);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ kind: "found", path, at: 9_000_001, encodings: [encoding] });
  });

  test("reads standard input", async () => {
    const { lines, code } = await scan(["--json", "-"], Readable.from([Buffer.from("a "), Buffer.from(number)]));
    expect([code, JSON.parse(lines[0] as string)]).toMatchObject([1, { path: "-", at: 2 }]);
  });

  test("tells published test numbers apart, and counts them when asked to", async () => {
    const path = put("test-number.txt", testNumber);
    const apart = await scan([path]);
    expect([apart.code, apart.summary.testNumbers, apart.lines[0]?.startsWith("test number")]).toEqual([0, 1, true]);
    expect((await scan(["--test-numbers", path])).code).toBe(1);
  });

  test("that could not read everything says so, and ends with 2 unless it found something", async () => {
    const path = put("damaged.gz", gzipSync("a".repeat(100_000)).subarray(0, 60));
    const missing = join(folder, "not-there");
    const { lines, code } = await scan([path, missing]);
    expect([code, lines.filter((line) => line.startsWith("unread")).length]).toEqual([2, 2]);
    expect((await scan([path, put("one.txt", number)])).code).toBe(1);
  });

  test("leaves out no entry in silence", async () => {
    put("links/a.txt", "x");
    symlinkSync("a.txt", join(folder, "links/b.txt"));
    const { lines, summary } = await scan([join(folder, "links")]);
    expect([summary.skipped, lines[0]]).toEqual([1, `skipped  ${join(folder, "links/b.txt")}  a symbolic link, not followed`]);
  });

  test("finds a number that is a file's name, and does not print it", async () => {
    put(`names/${number}.txt`, "x");
    const { lines, code } = await scan([join(folder, "names")]);
    expect(code).toBe(1);
    expect(lines.join("\n")).not.toContain(number);
  });

  test("prints a hundred findings of a file and counts the others", async () => {
    const { lines, summary } = await scan([put("many.txt", `${number}\n`.repeat(250))]);
    expect([summary.numbers, lines.length, lines.at(-2)?.includes("150 more")]).toEqual([250, 102, true]);
  });
});

test("a folder that may not be read is told", async () => {
  // Root may read everything; then there is nothing to tell.
  if (process.getuid?.() === 0) return;
  put("closed/a.txt", "x");
  chmodSync(join(folder, "closed"), 0);
  expect((await scan([join(folder, "closed")])).code).toBe(2);
  chmodSync(join(folder, "closed"), 0o700);
});

test("published numbers are numbers", async () => {
  const { publishedElsewhere } = await import("./test-numbers.ts");
  const { summary } = await scan(["-"], Readable.from([Buffer.from(publishedElsewhere.join("\n"))]));
  expect([summary.numbers, summary.testNumbers]).toEqual([0, publishedElsewhere.length]);
});

test("no path is wrong use", () => {
  expect(() => readScanOptions([])).toThrow(/say what to look through/);
  expect(() => readScanOptions(["--jsn", "x"])).toThrow();
});
