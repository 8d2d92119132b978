/**
 * The spelling of a secret API key: `sk_test_<16 public characters>_<32 or more secret ones>`, `sk_live_…`.
 *
 * The public part names the key in logs and in the audit trail; the rest proves possession. Not here: hashing and looking up.
 */
export type KeyMode = "test" | "live";

export type PresentedKey = {
  /** The public part. */
  readonly keyId: string;
  readonly mode: KeyMode;
  /** The whole key as it was sent. Secret: never logged. */
  readonly secretKey: string;
};

/** What an API key grants, once it was proven. */
export type ApiKey = {
  readonly keyId: string;
  readonly merchantId: string;
  readonly mode: KeyMode;
  /** For the audit trail: "key:<public part>". */
  readonly actor: string;
};

const publicLength = 16;
const bearerKey = /^Bearer +(sk_(test|live)_([0-9a-hjkmnp-tv-z]{16})_[0-9A-Za-z]{32,64})$/i;

/** The key in an Authorization header, or undefined when it holds none in that spelling. The scheme's case does not matter (RFC 9110 §11.1). */
export function parseBearer(authorization: string): PresentedKey | undefined {
  const match = bearerKey.exec(authorization);
  if (match === null) return undefined;
  const [, secretKey = "", mode, keyId = ""] = match;
  // The scheme may be spelled in any case, the key may not.
  if (!secretKey.startsWith("sk_") || (mode !== "test" && mode !== "live") || keyId !== keyId.toLowerCase()) return undefined;
  return { keyId, mode, secretKey };
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const secretLength = 32;
/** Random bytes that `makeSecretKey` takes: 80 bits of name, 160 bits of secret, one byte per character. */
export const keyRandomBytes = publicLength + secretLength;

/** A new key of `keyRandomBytes` random bytes; five bits of each are used. */
export function makeSecretKey(mode: KeyMode, random: Uint8Array): PresentedKey {
  const characters = Array.from(random.subarray(0, keyRandomBytes), (byte) => alphabet[byte & 31]).join("");
  const keyId = characters.slice(0, publicLength);
  return { keyId, mode, secretKey: `sk_${mode}_${keyId}_${characters.slice(publicLength)}` };
}
