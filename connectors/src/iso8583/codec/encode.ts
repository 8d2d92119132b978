/**
 * From a message to bytes, into a buffer of the caller's, who can wipe it. Fields are written in the order of their numbers.
 *
 * A value that does not fit its format is refused and nothing is cut off. When a message is refused, part of it may stand in the buffer.
 */
import { assert, Secret } from "@florin/kernel";
import { isContent } from "./content-check.ts";
import { type Dialect, type FieldCodec, fieldNumberMax } from "./dialect.ts";
import type { CodecFault, FaultReason, MessagePart } from "./fault.ts";
import type { FieldValue, IsoMessage } from "./message.ts";

export type Encoded =
  /** Bytes that were written. */
  { readonly kind: "encoded"; readonly length: number } | { readonly kind: "refused"; readonly fault: CodecFault };

const bitmapBytes = 8;
const mtiDigits = 4;
const blank = 0x20;
const zero = 0x30;
/** Nothing is longer than three digits say. */
const codes = new Uint8Array(1_000);
const bitmap = new Uint8Array(2 * bitmapBytes);

/** Writes `message` from the start of `target`. Throws only when a value is of another kind than its field, which is a bug. */
export function encodeMessage(dialect: Dialect, message: IsoMessage, target: Uint8Array): Encoded {
  const { mti } = dialect;
  const count = markFields(message) ? 2 * bitmapBytes : bitmapBytes;
  if (target.length < mti.wireBytes(mtiDigits) + dialect.bitmap.wireBytes(count)) return refused("mti", 0, "no_room");
  if (!takeText(message.mti, codes, mtiDigits) || message.mti.length !== mtiDigits || !isContent("n", codes, mtiDigits))
    return refused("mti", 0, "bad_character");
  if (codes[0] !== dialect.versionDigit) return refused("mti", 0, "other_version");
  mti.pack(codes, mtiDigits, target, 0);
  let at = mti.wireBytes(mtiDigits);
  dialect.bitmap.pack(bitmap, count, target, at);
  at += dialect.bitmap.wireBytes(count);
  for (let number = 2; number <= 8 * count; number++) {
    if (!isMarked(number)) continue;
    const field = dialect.fields[number];
    if (field === undefined) return refused(number, at, "no_format");
    const written = writeField(field, message.fields.get(number) as FieldValue, target, at);
    if (typeof written === "string") return refused(number, at, written);
    at = written;
  }
  return { kind: "encoded", length: at };
}

function refused(part: MessagePart, position: number, reason: FaultReason): Encoded {
  return { kind: "refused", fault: { part, position, reason } };
}

/** Sets the bits of the fields that are there; true when the second bitmap is needed. */
function markFields(message: IsoMessage): boolean {
  bitmap.fill(0);
  let hasSecondary = false;
  for (const number of message.fields.keys()) {
    assert(number >= 2 && number <= fieldNumberMax, "data elements are 2 to 128");
    if (number > 64) hasSecondary = true;
    mark(number);
  }
  if (hasSecondary) mark(1);
  return hasSecondary;
}

function mark(number: number): void {
  bitmap[(number - 1) >> 3] = (bitmap[(number - 1) >> 3] as number) | (0x80 >> ((number - 1) & 7));
}

function isMarked(number: number): boolean {
  return ((bitmap[(number - 1) >> 3] as number) & (0x80 >> ((number - 1) & 7))) !== 0;
}

/** The position after the field, or why it cannot be written. */
function writeField(field: FieldCodec, value: FieldValue, target: Uint8Array, start: number): number | FaultReason {
  const source = codesOf(field, value);
  if (typeof source === "string") return source;
  const { prefix, packing } = field;
  let length = lengthOf(value);
  if (field.content !== "b" && !isContent(field.content, source, length)) return "bad_character";
  if (prefix === undefined && length < field.lengthMax) {
    if (field.content === "b" || field.content === "x+n" || field.content === "z") return "wrong_length";
    assert(source === codes, "a secret of fixed length is as long as its format");
    length = pad(field, length);
  }
  const wireBytes = packing.wireBytes(length);
  const at = start + (prefix?.wireBytes ?? 0);
  if (at + wireBytes > target.length) return "no_room";
  prefix?.write(length * field.prefixScale, target, start);
  packing.pack(source, length, target, at);
  return at + wireBytes;
}

function lengthOf(value: FieldValue): number {
  return value instanceof Secret ? value.expose().length : value.length;
}

/** The value as ASCII codes or bytes: of a string in a scratch, everything else where it is. */
function codesOf(field: FieldCodec, value: FieldValue): Uint8Array | FaultReason {
  if (value instanceof Secret) {
    assert(field.isSecret, `DE ${field.number} is not secret`);
    const bytes = value.expose();
    return bytes.length > field.lengthMax ? "too_long" : bytes;
  }
  assert(!field.isSecret, `DE ${field.number} is secret`);
  assert((field.content === "b") === (typeof value !== "string"), `DE ${field.number} is ${field.content === "b" ? "bytes" : "text"}`);
  if (value.length > field.lengthMax) return "too_long";
  if (typeof value !== "string") return value;
  return takeText(value, codes, value.length) ? codes : "bad_character";
}

/** Codes of the first characters; false when one is beyond a byte. */
function takeText(text: string, into: Uint8Array, count: number): boolean {
  for (let index = 0; index < count; index++) {
    const code = text.charCodeAt(index);
    if (code > 0xff) return false;
    into[index] = code;
  }
  return true;
}

/** Fills the scratch up to the field's length: digits with zeros before them, text with blanks behind it. */
function pad(field: FieldCodec, length: number): number {
  const missing = field.lengthMax - length;
  if (field.content === "n") {
    codes.copyWithin(missing, 0, length);
    codes.fill(zero, 0, missing);
  } else codes.fill(blank, length, field.lengthMax);
  return field.lengthMax;
}
