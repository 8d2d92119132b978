/** How often some bytes stand in another process' memory (Linux). Whoever may read it may: a parent its child, or root. */
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";

const chunkBytes = 16 * 1024 * 1024;
const regionBytesMax = 2 ** 31;
const regionLine = /^([0-9a-f]+)-([0-9a-f]+) rw/;

/** Copies of `needle` in memory that process `pid` can write; undefined where nobody can look. */
export function copiesInMemory(pid: number, needle: Buffer): number | undefined {
  return countInMemory(pid, (chunk) => copiesIn(chunk, needle).length, needle.length - 1);
}

/** Copies of some digits that are no part of a longer number: a time in milliseconds, a port or an identifier holds any four digits by chance. */
export function numbersInMemory(pid: number, digits: Buffer): number | undefined {
  const isAlone = (chunk: Buffer, at: number) => isOther(chunk[at - 1]) && isOther(chunk[at + digits.length]);
  return countInMemory(pid, (chunk) => copiesIn(chunk, digits).filter((at) => isAlone(chunk, at)).length, digits.length + 1);
}

/** A byte that is there and no digit: what stands at a chunk's edge is seen in its neighbour. */
const isOther = (byte: number | undefined) => byte !== undefined && (byte < 0x30 || byte > 0x39);

function copiesIn(chunk: Buffer, needle: Buffer): number[] {
  const places: number[] = [];
  for (let at = chunk.indexOf(needle); at >= 0; at = chunk.indexOf(needle, at + 1)) places.push(at);
  return places;
}

/** Adds up what `count` finds in each chunk; chunks overlap by `overlap` bytes, so that what is longer by one is seen whole, and once. */
function countInMemory(pid: number, count: (chunk: Buffer) => number, overlap: number): number | undefined {
  const path = `/proc/${pid}/mem`;
  if (!existsSync(path)) return undefined;
  let memory: number;
  try {
    memory = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    return regionsOf(pid).reduce((total, region) => total + countInRegion(memory, region, count, overlap), 0);
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

function countInRegion(memory: number, { start, end }: Region, count: (chunk: Buffer) => number, overlap: number): number {
  let total = 0;
  for (let at = start; at < end; at += chunkBytes) {
    const chunk = Buffer.alloc(Math.min(chunkBytes + overlap, end - at));
    try {
      readSync(memory, chunk, 0, chunk.length, at);
    } catch {
      // Reserved and not backed: there is nothing to read.
      return total;
    }
    total += count(chunk);
  }
  return total;
}
