/**
 * Messages of ISO 8583:1987 as this host writes them: characters in ASCII, bitmap, PIN block and MAC binary.
 *
 * Written apart from the connectors' codec on purpose: a mistake that both sides shared would never be seen. Only the fields that this host
 * has a use for; a message with another one is not read. Values are text, binary ones with a character per byte.
 */

export type HostMessage = {
  /** Four digits. */
  readonly mti: string;
  readonly fields: ReadonlyMap<number, string>;
};

type Shape =
  | { readonly kind: "digits" | "binary" | "text"; readonly length: number }
  /** `prefix`: digits of the length before it. */
  | { readonly kind: "variable"; readonly prefix: 2 | 3; readonly lengthMax: number };

const digits = (length: number): Shape => ({ kind: "digits", length });
const text = (length: number): Shape => ({ kind: "text", length });
const binary = (length: number): Shape => ({ kind: "binary", length });
const variable = (prefix: 2 | 3, lengthMax: number): Shape => ({ kind: "variable", prefix, lengthMax });

const shapes: ReadonlyMap<number, Shape> = new Map([
  [2, variable(2, 19)],
  [3, digits(6)],
  [4, digits(12)],
  [7, digits(10)],
  [11, digits(6)],
  [12, digits(6)],
  [13, digits(4)],
  [14, digits(4)],
  [18, digits(4)],
  [22, digits(3)],
  [25, digits(2)],
  [32, variable(2, 11)],
  [37, text(12)],
  [38, text(6)],
  [39, text(2)],
  [41, text(8)],
  [42, text(15)],
  [43, text(40)],
  [48, variable(3, 999)],
  [49, text(3)],
  [50, text(3)],
  [52, binary(8)],
  [64, binary(8)],
  [66, digits(1)],
  [70, digits(3)],
  [74, digits(10)],
  [75, digits(10)],
  [76, digits(10)],
  [77, digits(10)],
  [81, digits(10)],
  [86, digits(16)],
  [87, digits(16)],
  [88, digits(16)],
  [89, digits(16)],
  [90, digits(42)],
  [128, binary(8)],
]);

const mtiBytes = 4;
const bitmapBytes = 8;
const fieldMax = 128;

/** The field of a message's MAC: the last one of its last bitmap. */
export function macField(fields: ReadonlyMap<number, string>): 64 | 128 {
  return [...fields.keys()].some((number) => number > 64) ? 128 : 64;
}

/** Fixed text is filled with blanks. Digits are not looked at: a fault may want others. */
export function encode({ mti, fields }: HostMessage): Buffer {
  const numbers = [...fields.keys()].toSorted((left, right) => left - right);
  const bitmap = Buffer.alloc(numbers.some((number) => number > 64) ? 2 * bitmapBytes : bitmapBytes);
  if (bitmap.length > bitmapBytes) setBit(bitmap, 1);
  for (const number of numbers) setBit(bitmap, number);
  const values = numbers.map((number) => encodeField(number, fields.get(number) ?? ""));
  return Buffer.concat([Buffer.from(mti, "latin1"), bitmap, ...values]);
}

function setBit(bitmap: Buffer, number: number): void {
  const index = (number - 1) >> 3;
  bitmap[index] = (bitmap[index] ?? 0) | (0x80 >> ((number - 1) & 7));
}

function encodeField(number: number, value: string): Buffer {
  const shape = shapes.get(number);
  if (shape === undefined) throw new Error(`this host has no DE ${number}`);
  if (shape.kind === "variable") return Buffer.from(String(value.length).padStart(shape.prefix, "0") + value, "latin1");
  return Buffer.from(shape.kind === "text" ? value.padEnd(shape.length) : value, "latin1");
}

/** Undefined when it cannot be read to its end. Blanks at the end of fixed text are taken off. */
export function decode(bytes: Buffer): HostMessage | undefined {
  const mti = bytes.toString("latin1", 0, mtiBytes);
  if (!/^0\d{3}$/.test(mti)) return undefined;
  const isLong = ((bytes[mtiBytes] ?? 0) & 0x80) !== 0;
  const bitmap = bytes.subarray(mtiBytes, mtiBytes + (isLong ? 2 : 1) * bitmapBytes);
  const fields = new Map<number, string>();
  let at = mtiBytes + bitmap.length;
  for (let number = 2; number <= fieldMax; number++) {
    if (((bitmap[(number - 1) >> 3] ?? 0) & (0x80 >> ((number - 1) & 7))) === 0) continue;
    const value = decodeField(bytes, at, shapes.get(number));
    if (value === undefined) return undefined;
    fields.set(number, value.value);
    at = value.end;
  }
  return at === bytes.length ? { mti, fields } : undefined;
}

function decodeField(bytes: Buffer, at: number, shape: Shape | undefined): { value: string; end: number } | undefined {
  if (shape === undefined) return undefined;
  const start = shape.kind === "variable" ? at + shape.prefix : at;
  const said = bytes.toString("latin1", at, start);
  const length = shape.kind === "variable" ? Number(/^\d+$/.test(said) ? said : Number.NaN) : shape.length;
  const end = start + length;
  if (!(end <= bytes.length) || (shape.kind === "variable" && length > shape.lengthMax)) return undefined;
  const value = bytes.toString("latin1", start, end);
  if (shape.kind === "digits" && !/^\d*$/.test(value)) return undefined;
  return { value: shape.kind === "text" ? value.trimEnd() : value, end };
}
