/** How often some bytes stand in another process' memory (Linux). Whoever may read it may: a parent its child, or root. */
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";

const chunkBytes = 16 * 1024 * 1024;
const regionBytesMax = 2 ** 31;
const regionLine = /^([0-9a-f]+)-([0-9a-f]+) rw/;

/** Copies of `needle` in memory that process `pid` can write; undefined where nobody can look. */
export function copiesInMemory(pid: number, needle: Buffer): number | undefined {
  const path = `/proc/${pid}/mem`;
  if (!existsSync(path)) return undefined;
  let memory: number;
  try {
    memory = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    return regionsOf(pid).reduce((total, region) => total + copiesInRegion(memory, region, needle), 0);
  } finally {
    closeSync(memory);
  }
}

type Region = { readonly start: number; readonly end: number };

function regionsOf(pid: number): readonly Region[] {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, start, end] = regionLine.exec(line) ?? [];
    if (start === undefined || end === undefined) return [];
    const region = { start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) };
    return region.end - region.start > regionBytesMax ? [] : [region];
  });
}

function copiesInRegion(memory: number, { start, end }: Region, needle: Buffer): number {
  let copies = 0;
  // Chunks overlap by less than a needle, so that each copy is seen once.
  for (let at = start; at < end; at += chunkBytes) {
    const chunk = Buffer.alloc(Math.min(chunkBytes + needle.length - 1, end - at));
    try {
      readSync(memory, chunk, 0, chunk.length, at);
    } catch {
      // Reserved and not backed: there is nothing to read.
      return copies;
    }
    for (let found = chunk.indexOf(needle); found >= 0; found = chunk.indexOf(needle, found + 1)) copies += 1;
  }
  return copies;
}
