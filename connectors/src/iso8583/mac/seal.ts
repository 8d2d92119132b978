/**
 * The message authentication code of a message: the last field, 64, or 128 where there is a second bitmap, over every byte before it.
 *
 * Who computes it is a port: a key from the configuration here, a hardware security module where one is. A code that is wrong or
 * missing makes an answer worthless, whatever it says: its outcome is unknown.
 */
import { timingSafeEqual } from "node:crypto";
import { assert, type Secret } from "@florin/kernel";
import type { Dialect } from "../codec/dialect.ts";
import { type Encoded, encodeMessage } from "../codec/encode.ts";
import type { FieldValue, IsoMessage } from "../codec/message.ts";
import { createMac, type MacAlgorithm } from "./algorithms.ts";

/**
 * The code of these bytes, at least `macBytes`. They must not be kept, and do not change until it is there. Rejects when there is none to be had;
 * who makes codes tells people why.
 */
export type MakeMac = (sealed: Uint8Array) => Promise<Uint8Array>;

export const macBytes = 8;

export function softwareMac(algorithm: MacAlgorithm, key: Secret): MakeMac {
  const compute = createMac(algorithm, key);
  return async (sealed) => compute(sealed);
}

/** The number of a message's MAC field. */
export function macFieldOf(fields: ReadonlyMap<number, FieldValue>): 64 | 128 {
  for (const number of fields.keys()) if (number > 64) return 128;
  return 64;
}

export type Sealed = Encoded | { readonly kind: "no_code" };

/** Encodes `message` with its code into `target`. The message must not have the field yet. */
export async function encodeSealed(dialect: Dialect, makeMac: MakeMac, message: IsoMessage, target: Uint8Array): Promise<Sealed> {
  const number = macFieldOf(message.fields);
  assert(!message.fields.has(number), "a code is made here, not brought along");
  const fields = new Map(message.fields).set(number, new Uint8Array(macBytes));
  const encoded = encodeMessage(dialect, { mti: message.mti, fields }, target);
  if (encoded.kind === "refused") return encoded;
  const { packing } = macCodec(dialect, number);
  const at = encoded.length - packing.wireBytes(macBytes);
  const code = await codeOf(makeMac, target.subarray(0, at));
  if (code === undefined) return { kind: "no_code" };
  packing.pack(code, macBytes, target, at);
  return encoded;
}

export type MacCheck = "right" | "wrong" | "missing" | /** Nobody could say. */ "unchecked";

/** Whether the code of a message that was decoded from `bytes` is right. Takes the same time for every wrong code. */
export async function checkMac(dialect: Dialect, makeMac: MakeMac, bytes: Uint8Array, message: IsoMessage): Promise<MacCheck> {
  const number = macFieldOf(message.fields);
  const given = message.fields.get(number);
  if (!(given instanceof Uint8Array)) return "missing";
  const at = bytes.length - macCodec(dialect, number).packing.wireBytes(macBytes);
  const computed = await codeOf(makeMac, bytes.subarray(0, at));
  if (computed === undefined) return "unchecked";
  return timingSafeEqual(given, computed) ? "right" : "wrong";
}

/** Undefined: there is none, or what came is none. */
async function codeOf(makeMac: MakeMac, sealed: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    const code = await makeMac(sealed);
    return code.length < macBytes ? undefined : code.subarray(0, macBytes);
  } catch {
    return undefined;
  }
}

function macCodec(dialect: Dialect, number: number) {
  const field = dialect.fields[number];
  assert(field !== undefined && field.content === "b" && field.lengthMax === macBytes && field.prefix === undefined, "a code is 64 bits");
  return field;
}
