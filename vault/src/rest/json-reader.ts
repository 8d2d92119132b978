/**
 * A strict JSON reader over bytes, told by its caller what comes next.
 *
 * Made because `JSON.parse` turns every value into a string on the heap, where it cannot be wiped: `secretDigits` copies the digits of a card
 * number or code from the body's bytes into bytes of their own and makes nothing else of them. What `JSON.parse` would accept or repair
 * silently is refused: duplicate and unknown fields, numbers that are not plain integers, trailing text, half of a surrogate pair.
 *
 * Faults are thrown as AppError (not_done) and never quote the body: a card number may stand anywhere in it, in a field's name too.
 * Deliberately not here: arrays, null and booleans; no request of the vault has them.
 */
import { isUtf8 } from "node:buffer";
import { type AppError, invalid, makeSecretBytes } from "@florin/kernel";

const quote = 0x22;
const comma = 0x2c;
const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
/** Below this every integer is exact, and no field of ours needs more. */
const integerDigitsMax = 9;

/** Reads the value of one field. `path` is "card.number". */
export type ReadField = (reader: JsonReader, path: string) => void;

export class JsonReader {
  readonly #bytes: Buffer;
  #at = 0;

  /** Does not copy `bytes`; the caller wipes them. Throws when they are not UTF-8. */
  constructor(bytes: Buffer) {
    if (!isUtf8(bytes)) throw invalid("invalid_json", "the body is not valid UTF-8");
    this.#bytes = bytes;
  }

  /** An object with these fields, each at most once. `path` is "" for the body itself. Answers which fields there were. */
  object(path: string, fields: ReadonlyMap<string, ReadField>): ReadonlySet<string> {
    const name = path === "" ? "the body" : path;
    const param = path === "" ? undefined : path;
    this.#skipSpace();
    if (this.#bytes[this.#at] !== openBrace)
      throw this.#isValueNext() ? invalid("parameter_invalid", `${name} is an object`, param) : malformed();
    this.#at += 1;
    const seen = new Set<string>();
    this.#skipSpace();
    if (this.#bytes[this.#at] === closeBrace) {
      this.#at += 1;
      return seen;
    }
    for (;;) {
      const field = this.#text();
      const read = fields.get(field);
      // The name stays untold: it came from outside.
      if (read === undefined) throw invalid("parameter_unknown", `${name} takes ${[...fields.keys()].join(", ")} and nothing else`, param);
      if (seen.has(field)) throw invalid("invalid_json", `${name} has a field twice`, param);
      seen.add(field);
      this.#expect(colon);
      read(this, path === "" ? field : `${path}.${field}`);
      this.#skipSpace();
      const next = this.#bytes[this.#at++];
      if (next === closeBrace) return seen;
      if (next !== comma) throw malformed();
    }
  }

  /** Nothing but white space may follow. */
  end(): void {
    this.#skipSpace();
    if (this.#at !== this.#bytes.length) throw malformed();
  }

  /** A text of at most `lengthMax` code points without control characters. */
  text(path: string, lengthMax: number): string {
    if (!this.#isStringNext()) throw this.#notA("text", path);
    const text = this.#text();
    if (!text.isWellFormed() || /\p{Cc}/u.test(text))
      throw invalid("parameter_invalid", `${path} has a character that does not belong there`, path);
    if ([...text].length > lengthMax) throw invalid("parameter_invalid", `${path} is at most ${lengthMax} characters`, path);
    return text;
  }

  /** A plain integer: digits, perhaps after a minus. */
  integer(path: string): number {
    this.#skipSpace();
    const start = this.#at;
    const isNegative = this.#bytes[start] === minus;
    let end = isNegative ? start + 1 : start;
    while (isDigit(this.#bytes[end])) end += 1;
    const digits = end - start - (isNegative ? 1 : 0);
    const hasLeadingZero = digits > 1 && this.#bytes[end - digits] === zero;
    if (digits === 0 || digits > integerDigitsMax || hasLeadingZero || !this.#isValueEnd(end)) throw this.#notA("an integer", path);
    this.#at = end;
    return Number(this.#bytes.toString("latin1", start, end));
  }

  /**
   * The bytes of a string of digits, copied; the caller owns and wipes them. Undefined when the string holds anything else than `lengthMin` to `lengthMax`
   * digits; it is read over then. The digits never become a string.
   */
  secretDigits(path: string, lengthMin: number, lengthMax: number): Uint8Array | undefined {
    if (!this.#isStringNext()) throw this.#notA("digits in quotes", path);
    const start = this.#at + 1;
    let end = start;
    while (isDigit(this.#bytes[end])) end += 1;
    const isAllDigits = this.#bytes[end] === quote;
    this.#at = isAllDigits ? end + 1 : this.#stringEnd(start) + 1;
    const length = end - start;
    if (!isAllDigits || length < lengthMin || length > lengthMax) return undefined;
    const digits = makeSecretBytes(length);
    digits.set(this.#bytes.subarray(start, end));
    return digits;
  }

  /** The same for `count` bytes as hexadecimal digits. */
  secretHex(path: string, count: number): Uint8Array | undefined {
    if (!this.#isStringNext()) throw this.#notA("hexadecimal digits in quotes", path);
    const start = this.#at + 1;
    const end = this.#stringEnd(start);
    this.#at = end + 1;
    if (end - start !== 2 * count) return undefined;
    const bytes = makeSecretBytes(count);
    for (let index = 0; index < count; index++) {
      const [high, low] = [hexValue(this.#bytes[start + 2 * index]), hexValue(this.#bytes[start + 2 * index + 1])];
      if (high === undefined || low === undefined) {
        bytes.fill(0);
        return undefined;
      }
      bytes[index] = high * 16 + low;
    }
    return bytes;
  }

  /** Reads a string as text, escapes resolved. */
  #text(): string {
    this.#skipSpace();
    if (this.#bytes[this.#at] !== quote) throw malformed();
    const start = this.#at + 1;
    const end = this.#stringEnd(start);
    this.#at = end + 1;
    const isEscaped = this.#bytes.subarray(start, end).includes(backslash);
    if (!isEscaped) return this.#bytes.toString("utf8", start, end);
    try {
      return JSON.parse(this.#bytes.toString("utf8", start - 1, end + 1)) as string;
    } catch {
      throw malformed();
    }
  }

  /** Index of the quote that ends the string whose inside begins at `start`. */
  #stringEnd(start: number): number {
    for (let index = start; index < this.#bytes.length; index++) {
      const byte = this.#bytes[index] as number;
      if (byte === quote) return index;
      if (byte === backslash) index += 1;
      // RFC 8259 §7: control characters must be escaped.
      else if (byte < 0x20) break;
    }
    throw malformed();
  }

  #expect(byte: number): void {
    this.#skipSpace();
    if (this.#bytes[this.#at++] !== byte) throw malformed();
  }

  #skipSpace(): void {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at += 1;
    }
  }

  #isStringNext(): boolean {
    this.#skipSpace();
    return this.#bytes[this.#at] === quote;
  }

  /** Something that could begin a JSON value. */
  #isValueNext(): boolean {
    this.#skipSpace();
    const byte = this.#bytes[this.#at];
    return byte !== undefined && (isDigit(byte) || '"-[{tfn'.includes(String.fromCharCode(byte)));
  }

  #isValueEnd(index: number): boolean {
    const byte = this.#bytes[index];
    return byte === undefined || byte === comma || byte === closeBrace || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
  }

  #notA(kind: string, path: string): AppError {
    return this.#isValueNext() ? invalid("parameter_invalid", `${path} is ${kind}`, path) : malformed();
  }
}

function hexValue(byte = 0): number | undefined {
  if (byte >= zero && byte <= nine) return byte - zero;
  // Letters of both cases differ in one bit.
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : undefined;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= nine;
}

function malformed(): AppError {
  return invalid("invalid_json", "the body is not strict JSON");
}
