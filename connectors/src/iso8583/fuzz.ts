/**
 * Hostile input for the ISO 8583 codec and splitter, from a seed: the same seed makes the same inputs.
 *
 * Inputs are valid messages of every dialect that were damaged (bytes changed, cut out, doubled, put together with another's), and noise. Each
 * goes through the decoder, some through splitters in pieces; what is decoded must be encodable, and must mean the same when it is read again.
 */
import { Secret } from "@florin/kernel";
import { decodeMessage } from "./codec/decode.ts";
import { type Dialect, type FieldCodec, makeDialect } from "./codec/dialect.ts";
import { dialects } from "./codec/dialects.ts";
import { encodeMessage } from "./codec/encode.ts";
import { describeFault } from "./codec/fault.ts";
import type { FieldValue, IsoMessage } from "./codec/message.ts";
import { framings } from "./framing/framing.ts";
import { createSplitter } from "./framing/splitter.ts";

export type FuzzReport = {
  readonly inputs: number;
  readonly decoded: number;
  /** How many were refused for each reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Frames that splitters cut out of the same bytes. */
  readonly frames: number;
  readonly slowestUs: number;
};

/** A crash: what was thrown, and the input in hexadecimal. */
export class FuzzCrash extends Error {
  constructor(dialect: string, input: Uint8Array, cause: unknown) {
    super(`${dialect}: ${Buffer.from(input).toString("hex")}`, { cause });
  }
}

const messageBytesMax = 2_048;
const basesPerDialect = 64;
/** Buffers of splitters cost more than everything else together. */
const splitEvery = 8;

type Random = { below(limit: number): number };

/** mulberry32: 32 bits of state, the same on every machine. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(limit) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
    },
  };
}

type Speech = { readonly dialect: Dialect; readonly bases: readonly Uint8Array[] };

export function fuzz(options: { readonly seed: number; readonly inputs: number }): FuzzReport {
  const random = randomFrom(options.seed);
  const speeches = dialects.map((data) => {
    const dialect = makeDialect(data);
    return { dialect, bases: Array.from({ length: basesPerDialect }, () => baseMessage(dialect, random)) };
  });
  const input = Buffer.alloc(messageBytesMax);
  const report = { inputs: 0, decoded: 0, refused: {} as Record<string, number>, frames: 0, slowestUs: 0 };
  for (; report.inputs < options.inputs; report.inputs++) {
    const speech = speeches[random.below(speeches.length)] as Speech;
    const bytes = input.subarray(0, damaged(speech.bases, input, random));
    const startedAtMs = performance.now();
    try {
      if (report.inputs % splitEvery === 0) report.frames += split(bytes, random);
      const word = read(speech.dialect, bytes);
      if (word === undefined) report.decoded += 1;
      else report.refused[word] = (report.refused[word] ?? 0) + 1;
    } catch (thrown) {
      throw new FuzzCrash(speech.dialect.name, bytes, thrown);
    }
    report.slowestUs = Math.max(report.slowestUs, Math.round((performance.now() - startedAtMs) * 1_000));
  }
  return report;
}

const again = Buffer.alloc(4 * messageBytesMax);
const third = Buffer.alloc(4 * messageBytesMax);

/** Why it is refused; undefined when it is decoded, and means the same after another round. */
function read(dialect: Dialect, bytes: Uint8Array): string | undefined {
  const first = decodeMessage(dialect, bytes);
  if (first.kind === "refused") {
    const { position, reason } = first.fault;
    if (position > bytes.length) throw new Error(`a fault beyond the input: ${describeFault(first.fault)}`);
    return reason;
  }
  const encoded = encodeMessage(dialect, first.message, again);
  if (encoded.kind === "refused") throw new Error(`decoded, and not encoded: ${describeFault(encoded.fault)}`);
  const second = decodeMessage(dialect, again.subarray(0, encoded.length));
  if (second.kind === "refused") throw new Error(`encoded, and not decoded: ${describeFault(second.fault)}`);
  const repeated = encodeMessage(dialect, second.message, third);
  if (repeated.kind === "refused" || again.compare(third, 0, repeated.length, 0, encoded.length) !== 0)
    throw new Error("the second round gave other bytes");
  return undefined;
}

/** The same bytes as a stream, in pieces, behind each kind of header. */
function split(bytes: Uint8Array, random: Random): number {
  let frames = 0;
  for (const framing of [framings.binary, framings.ascii]) {
    const splitter = createSplitter({ framing, messageBytesMax: 512 });
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + random.below(200);
      const fault = splitter.push(bytes.subarray(at, end), (message) => {
        if (message.length > 512) throw new Error("a frame above the limit");
        frames += 1;
      });
      if (splitter.pendingBytes > 516) throw new Error("more is held than one frame");
      if (fault !== undefined) break;
      at = end;
    }
  }
  return frames;
}

/** Writes an input and says how long it is. */
function damaged(bases: readonly Uint8Array[], input: Buffer, random: Random): number {
  const base = bases[random.below(bases.length)] as Uint8Array;
  input.set(base);
  let { length } = base;
  if (random.below(16) === 0) {
    length = random.below(256);
    for (let at = 0; at < length; at++) input[at] = random.below(256);
  }
  for (let times = random.below(4); times > 0 && length > 0; times--) length = damage(input, length, bases, random);
  return length;
}

const interesting = [0x00, 0x01, 0x0f, 0x10, 0x20, 0x30, 0x39, 0x3d, 0x40, 0x7f, 0x80, 0x99, 0xa0, 0xf0, 0xf9, 0xff];

function damage(input: Buffer, length: number, bases: readonly Uint8Array[], random: Random): number {
  const at = random.below(length);
  switch (random.below(6)) {
    case 0:
      input[at] = (input[at] as number) ^ (1 << random.below(8));
      return length;
    case 1:
      input[at] = interesting[random.below(interesting.length)] as number;
      return length;
    case 2:
      return at;
    case 3: {
      const count = Math.min(1 + random.below(8), length - at);
      input.copyWithin(at, at + count, length);
      return length - count;
    }
    case 4: {
      const count = Math.min(1 + random.below(32), length - at, messageBytesMax - length);
      input.copyWithin(at + count, at, length);
      return length + count;
    }
    default: {
      const other = bases[random.below(bases.length)] as Uint8Array;
      const from = random.below(other.length);
      const count = Math.min(other.length - from, messageBytesMax - at);
      input.set(other.subarray(from, from + count), at);
      return at + count;
    }
  }
}

function baseMessage(dialect: Dialect, random: Random): Uint8Array {
  const fields = new Map<number, FieldValue>();
  const known = dialect.fields.filter((field) => field !== undefined);
  for (let count = random.below(24); count > 0; count--) {
    const field = known[random.below(known.length)] as FieldCodec;
    fields.set(field.number, anyValue(field, random));
  }
  const message: IsoMessage = {
    mti: `${String.fromCharCode(dialect.versionDigit)}${100 * (1 + random.below(8)) + 10 * random.below(4)}`,
    fields,
  };
  const target = Buffer.alloc(messageBytesMax);
  const encoded = encodeMessage(dialect, message, target);
  if (encoded.kind === "refused") throw new Error(describeFault(encoded.fault));
  return target.subarray(0, encoded.length);
}

function anyValue(field: FieldCodec, random: Random): FieldValue {
  const { content, lengthMax, prefix, isSecret } = field;
  const length = prefix === undefined ? lengthMax : random.below(Math.min(lengthMax, 40) + 1);
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = content === "b" ? random.below(256) : 0x30 + random.below(10);
  if (content === "x+n") bytes[0] = 0x43 + random.below(2);
  if (isSecret) return new Secret(bytes);
  return content === "b" ? bytes : bytes.toString("latin1");
}
