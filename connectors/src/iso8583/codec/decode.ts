/**
 * From bytes to a message. The bytes may be anything: every read is inside of them, every length is checked against its format, and the work
 * is bounded by their number.
 *
 * Nothing is guessed: an unknown field ends the reading, since nobody knows where the next one begins. The message holds copies, so the bytes
 * may be overwritten afterwards. Blanks that pad text to a fixed length are taken off; zeros before digits stay.
 */
import { makeSecretBytes, Secret } from "@florin/kernel";
import { isContent } from "./content-check.ts";
import type { Dialect, FieldCodec } from "./dialect.ts";
import type { CodecFault, FaultReason, MessagePart } from "./fault.ts";
import { type FieldValue, type IsoMessage, wipeMessage } from "./message.ts";

export type Decoded =
  | { readonly kind: "decoded"; readonly message: IsoMessage }
  /** `readable`: type and fields before the fault without what is secret, enough to tell whose reply it was; undefined when the head is at fault. */
  | { readonly kind: "refused"; readonly fault: CodecFault; readonly readable: IsoMessage | undefined };

const bitmapBytes = 8;
const mtiDigits = 4;
const blank = 0x20;
const codes = Buffer.alloc(1_000);

/** Never throws. What was secret in a message that is refused has been wiped; the caller owns the bytes themselves. */
export function decodeMessage(dialect: Dialect, bytes: Uint8Array): Decoded {
  const head = readHead(dialect, bytes);
  if ("reason" in head) return { kind: "refused", fault: head, readable: undefined };
  const fields = new Map<number, FieldValue>();
  const reading: Reading = { bytes, at: head.end, value: "" };
  for (let number = 2; number <= 8 * head.bitmap.length; number++) {
    if (((head.bitmap[(number - 1) >> 3] as number) & (0x80 >> ((number - 1) & 7))) === 0) continue;
    const field = dialect.fields[number];
    const position = reading.at;
    const reason = field === undefined ? "no_format" : readField(field, reading);
    if (reason !== undefined) return refused({ mti: head.mti, fields }, number, position, reason);
    fields.set(number, reading.value);
  }
  if (reading.at < bytes.length) return refused({ mti: head.mti, fields }, "end", reading.at, "excess");
  return { kind: "decoded", message: { mti: head.mti, fields } };
}

function refused({ mti, fields }: IsoMessage, part: MessagePart, position: number, reason: FaultReason): Decoded {
  wipeMessage({ fields });
  const open = [...fields].filter(([, value]) => !(value instanceof Secret));
  return { kind: "refused", fault: { part, position, reason }, readable: { mti, fields: new Map(open) } };
}

type Head = { readonly mti: string; readonly bitmap: Uint8Array; readonly end: number };

function readHead(dialect: Dialect, bytes: Uint8Array): Head | CodecFault {
  const mtiEnd = dialect.mti.wireBytes(mtiDigits);
  if (bytes.length < mtiEnd) return { part: "mti", position: 0, reason: "truncated" };
  if (dialect.mti.unpack(bytes, 0, mtiDigits, codes) !== undefined || !isContent("n", codes, mtiDigits))
    return { part: "mti", position: 0, reason: "bad_character" };
  if (codes[0] !== dialect.versionDigit) return { part: "mti", position: 0, reason: "other_version" };
  const mti = codes.toString("latin1", 0, mtiDigits);
  const half = dialect.bitmap.wireBytes(bitmapBytes);
  const primary = readBitmap(dialect, bytes, mtiEnd);
  if (typeof primary === "string") return { part: "bitmap", position: mtiEnd, reason: primary };
  if (((primary[0] as number) & 0x80) === 0) return { mti, bitmap: primary, end: mtiEnd + half };
  const secondary = readBitmap(dialect, bytes, mtiEnd + half);
  if (typeof secondary === "string") return { part: "bitmap", position: mtiEnd + half, reason: secondary };
  const bitmap = new Uint8Array(2 * bitmapBytes);
  bitmap.set(primary);
  bitmap.set(secondary, bitmapBytes);
  return { mti, bitmap, end: mtiEnd + 2 * half };
}

function readBitmap(dialect: Dialect, bytes: Uint8Array, at: number): Uint8Array | FaultReason {
  if (at + dialect.bitmap.wireBytes(bitmapBytes) > bytes.length) return "truncated";
  const bits = new Uint8Array(bitmapBytes);
  return dialect.bitmap.unpack(bytes, at, bitmapBytes, bits) ?? bits;
}

type Reading = { readonly bytes: Uint8Array; at: number; value: FieldValue };

/** Moves past the field and leaves its value; a reason when it cannot be read. */
function readField(field: FieldCodec, reading: Reading): FaultReason | undefined {
  const length = readLength(field, reading);
  if (typeof length === "string") return length;
  const { packing, content, isSecret } = field;
  const { bytes, at } = reading;
  const wireBytes = packing.wireBytes(length);
  if (at + wireBytes > bytes.length) return "truncated";
  const target = isSecret ? makeSecretBytes(length) : content === "b" ? new Uint8Array(length) : codes;
  const reason = packing.unpack(bytes, at, length, target);
  if (reason !== undefined || (content !== "b" && !isContent(content, target, length))) {
    if (isSecret) target.fill(0);
    return reason ?? "bad_character";
  }
  reading.value = isSecret ? new Secret(target, `[DE ${field.number}]`) : content === "b" ? target : textOf(field, length);
  reading.at = at + wireBytes;
  return undefined;
}

/** Characters or bytes of the field's value; moves past the prefix. */
function readLength(field: FieldCodec, reading: Reading): number | FaultReason {
  const { prefix, lengthMax } = field;
  if (prefix === undefined) return lengthMax;
  if (reading.at + prefix.wireBytes > reading.bytes.length) return "truncated";
  const said = prefix.read(reading.bytes, reading.at);
  if (said < 0) return "bad_length";
  if (said % field.prefixScale !== 0) return "bad_length";
  const length = said / field.prefixScale;
  if (length > lengthMax) return "too_long";
  reading.at += prefix.wireBytes;
  return length;
}

function textOf(field: FieldCodec, length: number): string {
  let end = length;
  if (field.prefix === undefined && field.content !== "n") while (end > 0 && codes[end - 1] === blank) end -= 1;
  return codes.toString("latin1", 0, end);
}
