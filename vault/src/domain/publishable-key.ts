/**
 * The spelling of a publishable key: `pk_test_<26 characters>`, `pk_live_…`.
 *
 * It names a merchant to the vault and may stand in a web page: all it can do is hand in a card. Not here: hashing and looking up.
 */
import { assert } from "@florin/kernel";
import type { Mode } from "./token.ts";

export type PresentedKey = { readonly mode: Mode; readonly publishableKey: string };

/** What a publishable key grants, once it was found. */
export type PublishableKey = {
  /** Tells keys apart without holding one: its keyed hash in hex. */
  readonly keyId: string;
  readonly merchantId: string;
  readonly mode: Mode;
  /** On which pages its card fields may stand; empty: on any. */
  readonly origins: readonly string[];
};

const secretKey = /^bearer +sk_/i;
const bearerKey = /^bearer +(pk_(test|live)_[0-9a-hjkmnp-tv-z]{26})$/i;
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const bodyLength = 26;
/** Random bytes that `makePublishableKey` takes; five bits of each are used. */
export const keyRandomBytes = bodyLength;

/** The key in an Authorization header, or undefined when it holds none in that spelling. The scheme's case does not matter (RFC 9110 §11.1). */
export function parseBearer(authorization: string): PresentedKey | undefined {
  const match = bearerKey.exec(authorization);
  if (match === null) return undefined;
  const [, publishableKey = "", mode = ""] = match;
  if (publishableKey !== publishableKey.toLowerCase()) return undefined;
  return { mode: mode === "live" ? "live" : "test", publishableKey };
}

/** True when the header holds what looks like a secret key. */
export function holdsSecretKey(authorization: string): boolean {
  return secretKey.test(authorization);
}

export function makePublishableKey(mode: Mode, random: Uint8Array): string {
  assert(random.length === keyRandomBytes, "a publishable key takes one random byte per character");
  return `pk_${mode}_${Array.from(random, (byte) => alphabet[byte & 31]).join("")}`;
}
