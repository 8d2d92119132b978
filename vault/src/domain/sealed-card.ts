/**
 * What is inside a sealed card, and what its seal is bound to. Bytes in, bytes out; the cipher is in app/card-cipher.ts.
 *
 * Inside: a version byte, then number, postal code, address line and name, each after its length (two bytes, big endian).
 * Bound to (associated data): token, merchant, epoch, mode, expiry and usage. A row whose sealed bytes were swapped with another's, or whose
 * expiry, mode or usage was changed in the database, does not open. Cards that were sealed before tokens had a usage are not bound to one.
 */
import { AssertionError, assert, idToHex, makeSecretBytes } from "@florin/kernel";
import type { CardInput } from "./card.ts";
import { type Mode, tokenToHex } from "./token.ts";
import type { Usage } from "./token-life.ts";

const version = 1;
const label = Buffer.from("florin.card.2", "latin1");
const labelWithoutUsage = Buffer.from("florin.card.1", "latin1");

/** What a seal is bound to. */
export type SealBinding = {
  readonly token: string;
  readonly merchantId: string;
  readonly epoch: number;
  readonly mode: Mode;
  readonly expMonth: number;
  readonly expYear: number;
  /** Undefined: sealed before tokens had one, when cards had no key of their own. */
  readonly usage: Usage | undefined;
};

/** What an open card tells besides what the row says in clear. */
export type OpenedCard = {
  /** ASCII digits; a view into the opened bytes. */
  readonly number: Uint8Array;
  readonly postalCode: string;
  readonly addressLine1: string;
  readonly name: string;
};

/** Associated data: always the same bytes for the same binding. */
export function bindingBytes(binding: SealBinding): Buffer {
  const { usage } = binding;
  const bytes = Buffer.alloc(label.length + 16 + 16 + 4 + 1 + 1 + 2 + (usage === undefined ? 0 : 1));
  let at = (usage === undefined ? labelWithoutUsage : label).copy(bytes);
  at += bytes.write(tokenToHex(binding.token), at, "hex");
  at += bytes.write(idToHex(binding.merchantId), at, "hex");
  at = bytes.writeUInt32BE(binding.epoch, at);
  at = bytes.writeUInt8(binding.mode === "live" ? 1 : 0, at);
  at = bytes.writeUInt8(binding.expMonth, at);
  at = bytes.writeUInt16BE(binding.expYear, at);
  if (usage !== undefined) bytes.writeUInt8(usage === "single_use" ? 1 : 0, at);
  return bytes;
}

/** The bytes to seal. The caller wipes them. */
export function encodeCard(card: Pick<CardInput, "number" | "postalCode" | "addressLine1" | "name">): Buffer {
  const texts = [card.postalCode, card.addressLine1, card.name].map((text) => Buffer.from(text, "utf8"));
  const fields = [card.number.expose(), ...texts];
  const bytes = Buffer.from(makeSecretBytes(1 + fields.reduce((total, field) => total + 2 + field.length, 0)).buffer);
  let at = bytes.writeUInt8(version, 0);
  for (const field of fields) {
    at = bytes.writeUInt16BE(field.length, at);
    bytes.set(field, at);
    at += field.length;
  }
  return bytes;
}

/** Reads what `encodeCard` wrote. The seal was proven before, so anything else is a bug. */
export function decodeCard(bytes: Buffer): OpenedCard {
  assert(bytes[0] === version, "a sealed card has a known version");
  const number = fieldEnd(bytes, 1);
  const postalCode = fieldEnd(bytes, number);
  const addressLine1 = fieldEnd(bytes, postalCode);
  const name = fieldEnd(bytes, addressLine1);
  if (name !== bytes.length) throw new AssertionError("a sealed card has four fields");
  return {
    number: bytes.subarray(3, number),
    postalCode: textBetween(bytes, number + 2, postalCode),
    addressLine1: textBetween(bytes, postalCode + 2, addressLine1),
    name: textBetween(bytes, addressLine1 + 2, name),
  };
}

/** Index behind the field that begins, with its length, at `at`. */
function fieldEnd(bytes: Buffer, at: number): number {
  const end = at + 2 + ((bytes[at] ?? 0) << 8) + (bytes[at + 1] ?? 0);
  assert(end <= bytes.length, "a field ends inside its card");
  return end;
}

function textBetween(bytes: Buffer, start: number, end: number): string {
  return start === end ? "" : bytes.toString("utf8", start, end);
}
