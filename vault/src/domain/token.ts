/**
 * The spelling of tokens: `tok_` and 128 random bits in 26 characters of Crockford base 32, lower case.
 *
 * Unlike other ids they hold no time: a token must not be guessable (OWASP ASVS 11.5.1). Well-known test tokens have words instead, see
 * test-cards.ts.
 */
import { assert, idFromHex, idToHex } from "@florin/kernel";

export type Mode = "test" | "live";

const prefix = "tok_";
const storedToken = /^tok_[0-7][0-9a-hjkmnp-tv-z]{25}$/;
/** Bytes of randomness in a token. */
export const tokenRandomBytes = 16;

/** The token of these 16 random bytes. */
export function makeToken(random: Uint8Array): string {
  assert(random.length === tokenRandomBytes, "a token has 128 random bits");
  return tokenOfHex(Buffer.from(random.buffer, random.byteOffset, random.byteLength).toString("hex"));
}

/** True for the one canonical spelling of a token that could be in the database. */
export function isStoredToken(text: string): boolean {
  return storedToken.test(text);
}

/** The 128 bits of a stored token as 32 hex characters, which PostgreSQL reads as a uuid. */
export function tokenToHex(token: string): string {
  return idToHex(token);
}

/** Ids and tokens share their alphabet; only the prefix differs. */
function tokenOfHex(hex: string): string {
  const id = idFromHex("event", hex);
  return prefix + id.slice(id.indexOf("_") + 1);
}
