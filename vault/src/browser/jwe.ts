/**
 * Encrypts a card for the vault, in the payer's browser: a JWE in compact form (RFC 7516), ECDH-ES+A256KW over P-256 and A256GCM, on WebCrypto alone.
 *
 * Written out because it is what runs on a payment page: sixty lines that can be read beat a library that is served, pinned and watched with
 * them. It knows one algorithm and cannot be talked into another. The vault opens with `jose`, and the tests hold the two against each other
 * and against the vector of RFC 7518 appendix C. Every call has a key pair, a content key and an initialization vector of its own.
 */

/** A public key of the vault, as `GET /fields/key` answers. */
export type EnvelopeKey = { readonly kid: string; readonly x: string; readonly y: string };

/** What the header binds: changed by nobody, because it is the additional data of the encryption. */
export type EnvelopeBinding = {
  /** The publishable key whose token it may become. */
  readonly key: string;
  /** The page that the fields stand in, as the browser says: "https://shop.example". */
  readonly origin: string;
  /** Seconds since 1970. */
  readonly iat: number;
  /** 128 random bits, base64url: one token per envelope. */
  readonly jti: string;
};

const algorithm = "ECDH-ES+A256KW";
const curve = { name: "ECDH", namedCurve: "P-256" } as const;
const ivBytes = 12;
const jtiBytes = 16;
const utf8 = new TextEncoder();

/** The compact JWE of `plaintext` (bytes), which is wiped. Rejects when `key` is no point of the curve. */
export async function encryptEnvelope(plaintext: Uint8Array<ArrayBuffer>, key: EnvelopeKey, binding: EnvelopeBinding): Promise<string> {
  const { subtle } = crypto;
  try {
    const recipient = await subtle.importKey("jwk", { kty: "EC", crv: "P-256", x: key.x, y: key.y }, curve, false, []);
    const ephemeral = await subtle.generateKey(curve, false, ["deriveBits"]);
    const { x = "", y = "" } = await subtle.exportKey("jwk", ephemeral.publicKey);
    const shared = new Uint8Array(await subtle.deriveBits({ name: "ECDH", public: recipient }, ephemeral.privateKey, 256));
    const wrapping = await subtle.importKey("raw", await concatKdf(shared, algorithm), "AES-KW", false, ["wrapKey"]);
    const content = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    const wrapped = new Uint8Array(await subtle.wrapKey("raw", content, wrapping, "AES-KW"));
    const header = { alg: algorithm, enc: "A256GCM", kid: key.kid, epk: { kty: "EC", crv: "P-256", x, y }, ...binding };
    const head = base64Url(utf8.encode(JSON.stringify(header)));
    const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
    const sealed = new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv, additionalData: utf8.encode(head) }, content, plaintext));
    const tagAt = sealed.length - 16;
    return [head, ...[wrapped, iv, sealed.subarray(0, tagAt), sealed.subarray(tagAt)].map(base64Url)].join(".");
  } finally {
    plaintext.fill(0);
  }
}

/** A new envelope's `jti`. */
export function makeJti(): string {
  return base64Url(crypto.getRandomValues(new Uint8Array(jtiBytes)));
}

/** The key of 256 bits that both sides derive (RFC 7518 §4.6.2: Concat KDF of NIST SP 800-56A, one round of SHA-256). */
async function concatKdf(shared: Uint8Array, name: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", concatKdfInput(shared, { name, partyU: "", partyV: "", bits: 256 }));
}

/** What the one round hashes: counter, shared secret, and the names of algorithm and parties, each after its length. */
export function concatKdfInput(
  shared: Uint8Array,
  info: { readonly name: string; readonly partyU: string; readonly partyV: string; readonly bits: number },
): Uint8Array<ArrayBuffer> {
  const named = (text: string): number[] => [...uint32(text.length), ...utf8.encode(text)];
  return new Uint8Array([...uint32(1), ...shared, ...named(info.name), ...named(info.partyU), ...named(info.partyV), ...uint32(info.bits)]);
}

function uint32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
