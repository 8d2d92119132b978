/**
 * Groups of digits that together are one card number: "4-4-4-4" in a text, or one field each in a list, an object, a form.
 *
 * What may stand between groups is in glue.ts. Shapes hold false alarms down: a list of numbers is not a card number because four of its
 * members happen to pass the check. So a sequence must have the shape of how numbers are printed or cut, and must be whole: the same glue does not
 * go on before or behind it. Only four groups of four with blanks between them may stand among other words and numbers.
 */
import { byteKind, digit, other } from "./byte-kind.ts";
import { digitsMax, digitsMin, isCardNumber, mayBegin, roomFor } from "./card-number-shape.ts";
import { type Glue, gapMax, glueBetween } from "./glue.ts";
import type { OnNumber } from "./plain-numbers.ts";

export interface GroupReader {
  /** The next group of digits, shorter than a number, from left to right. */
  add(start: number, end: number): void;
  /** What comes next has nothing to do with the groups so far. */
  end(): void;
}

/** Groups looked at together. A sequence that is longer is a table of numbers, of which only the last `kept` can begin a number. */
const groupsMax = 96;
const kept = digitsMax;
/** Groups of free form, as people type them. */
const freeGroupsMax = 6;

/** How numbers are printed (ISO/IEC 7812 leaves it open; these are the networks' cards), and how programs cut them: BIN, rest, last four. */
const shapes: ReadonlySet<number> = new Set(
  [
    ...["4,4,4,4", "4,4,4,4,1", "4,4,4,4,2", "4,4,4,4,3", "4,4,4,1", "4,4,4,2", "4,4,4,3", "4,6,5", "4,6,4", "4,5,6"],
    ...["6,6,4", "6,9,4", "6,8,4", "6,7,4", "6,3,4", "6,5,4", "6,4,4", "6,10", "6,9", "6,8", "6,13", "6,12"],
    ...["8,8", "8,4,4", "8,7", "12,4", "4,12", "11,4", "10,4", "4,8,4"],
  ].map((shape) => shape.split(",").reduce((key, size) => key * digitsMax + Number(size), 0)),
);

export function createGroupReader(bytes: Uint8Array, onNumber: OnNumber): GroupReader {
  let starts: number[] = [];
  let ends: number[] = [];
  const end = (): void => {
    if (starts.length > 1) findInSequence(bytes, starts, ends, onNumber);
    starts = [];
    ends = [];
  };
  return {
    end,
    add(start, groupEnd) {
      const last = ends.at(-1);
      if (last !== undefined && start - last > gapMax) end();
      if (starts.length === groupsMax) {
        findInSequence(bytes, starts, ends, onNumber);
        starts = starts.slice(-kept);
        ends = ends.slice(-kept);
      }
      starts.push(start);
      ends.push(groupEnd);
    },
  };
}

type Window = { readonly first: number; readonly last: number; readonly starts: readonly number[]; readonly ends: readonly number[] };

function findInSequence(bytes: Uint8Array, starts: readonly number[], ends: readonly number[], onNumber: OnNumber): void {
  const sizeOf = (group: number): number => (ends[group] as number) - (starts[group] as number);
  for (let first = 0; first < starts.length - 1; first++) {
    if (mayBegin[bytes[starts[first] as number] as number] === 0) continue;
    let total = sizeOf(first);
    for (let last = first + 1; last < starts.length; last++) {
      total += sizeOf(last);
      if (total > digitsMax) break;
      if (total < digitsMin) continue;
      const window = { first, last, starts, ends };
      const shape = shapeOf(window);
      if (shape === "none") continue;
      const digits = digitsOf(bytes, window, total);
      if (!isCardNumber(digits) || !isGlued(bytes, window, shape)) continue;
      onNumber(starts[first] as number, ends[last] as number, digits);
      first = last;
      break;
    }
  }
}

type Shape = "printed" | "even" | "free" | "none";

/** `even`: groups of one size, the last may be shorter. */
function shapeOf({ first, last, starts, ends }: Window): Shape {
  const count = last - first + 1;
  const size = (ends[first] as number) - (starts[first] as number);
  let isEven = true;
  let key = 0;
  for (let group = first; group <= last; group++) {
    const own = (ends[group] as number) - (starts[group] as number);
    if (group < last ? own !== size : own > size) isEven = false;
    key = key * digitsMax + own;
  }
  if (count <= freeGroupsMax && shapes.has(key)) return "printed";
  if (isEven) return "even";
  return count <= freeGroupsMax ? "free" : "none";
}

function digitsOf(bytes: Uint8Array, { first, last, starts, ends }: Window, total: number): Uint8Array {
  const digits = roomFor(total);
  let filled = 0;
  for (let group = first; group <= last; group++) {
    const end = ends[group] as number;
    for (let index = starts[group] as number; index < end; index++) digits[filled++] = bytes[index] as number;
  }
  return digits;
}

function isGlued(bytes: Uint8Array, { first, last, starts, ends }: Window, shape: Shape): boolean {
  const between = (group: number): Glue | undefined => glueBetween(bytes, ends[group] as number, starts[group + 1] as number);
  const glue = between(first);
  if (glue === undefined) return false;
  for (let group = first + 1; group < last; group++) if (between(group)?.name !== glue.name) return false;
  const before = first === 0 ? undefined : between(first - 1);
  const behind = last + 1 === starts.length ? undefined : between(last);
  const goesOn = before?.name === glue.name || behind?.name === glue.name;
  const start = starts[first] as number;
  const end = ends[last] as number;
  switch (glue.kind) {
    case "blank":
      if (shape === "printed" && last - first >= 2) return true;
      return !goesOn && (shape !== "free" || glue.name === " " || glue.name === "+");
    case "mark":
      // The same mark before a letter is the rest of a uuid.
      return !goesOn && !isMarked(bytes, start, end, ends[first] as number) && (shape !== "free" || glue.name === "-");
    case "field":
      return shape !== "free" && !goesOnInShape(starts, ends, first, last, { before, behind, glue });
    case "list":
      return shape !== "free" && !goesOn && isBracketed(bytes, start, end);
  }
}

/** Whether the mark between the groups also stands before the first or behind the last with a word beyond it. */
function isMarked(bytes: Uint8Array, start: number, end: number, markAt: number): boolean {
  const mark = bytes[markAt];
  const isWord = (byte: number | undefined): boolean => byteKind[byte ?? 0] !== other;
  return (bytes[start - 1] === mark && isWord(bytes[start - 2])) || (bytes[end] === mark && isWord(bytes[end + 1]));
}

type Around = { readonly before: Glue | undefined; readonly behind: Glue | undefined; readonly glue: Glue };

/** Expiry and code may be the next fields; one more of the same size makes it a table. */
function goesOnInShape(
  starts: readonly number[],
  ends: readonly number[],
  first: number,
  last: number,
  { before, behind, glue }: Around,
): boolean {
  const sizeOf = (group: number): number => (ends[group] as number) - (starts[group] as number);
  const size = sizeOf(first);
  if (before?.name === glue.name && sizeOf(first - 1) === size) return true;
  return behind?.name === glue.name && sizeOf(last) === size && sizeOf(last + 1) === size;
}

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

function isBracketed(bytes: Uint8Array, start: number, end: number): boolean {
  let before = start - 1;
  let behind = end;
  while (start - before < gapMax && isSpace(bytes[before])) before -= 1;
  while (behind - end < gapMax && isSpace(bytes[behind])) behind += 1;
  return bytes[before] === 0x5b && bytes[behind] === 0x5d && byteKind[bytes[end] ?? 0] !== digit;
}
