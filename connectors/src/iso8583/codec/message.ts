/**
 * An ISO 8583 message outside of the wire: message type and data elements by their number.
 *
 * Text is a string in ASCII, binary data are bytes, and what the dialect calls secret (card number, tracks, PIN block, security code) is a
 * `Secret` in both cases: it can be wiped and does not print. The bitmap follows from the fields that are there.
 */
import { Secret } from "@florin/kernel";

export type FieldValue = string | Uint8Array | Secret;

export type IsoMessage = {
  /** Four digits: version, class, function, origin. */
  readonly mti: string;
  /** 2 to 128, in any order. */
  readonly fields: ReadonlyMap<number, FieldValue>;
};

/** Overwrites whatever is secret in the message. Safe to repeat. */
export function wipeMessage({ fields }: Pick<IsoMessage, "fields">): void {
  for (const value of fields.values()) if (value instanceof Secret) value.wipe();
}
