/**
 * The envelope in which a browser hands in a card: a compact JWE whose header says for whom, from which page, when, and which one it is.
 *
 * Pure: reads the header and says whether the envelope may be opened for this caller; the opening authenticates what was read. The header is a closed
 * list with one spelling, so there is no algorithm to choose, no `zip`, `crit`, `jku` or second value of a name. There is one way to be wrong.
 */
import { type AppError, invalid } from "@florin/kernel";

export type EnvelopeHeader = {
  readonly kid: string;
  /** The publishable key. */
  readonly key: string;
  readonly origin: string;
  /** Seconds since 1970. */
  readonly iat: number;
  /** The 128 bits in hex. */
  readonly jtiHex: string;
};

export const envelopeAlgorithm = "ECDH-ES+A256KW";
export const envelopeEncryption = "A256GCM";
/** Seconds that an envelope is good for. */
export const envelopeLifeS = 600;
/** The clocks of two vaults may differ by so much. */
const clockSkewS = 60;
const headerLengthMax = 1_024;
const originLengthMax = 260;
/** Characters of base64url: 40 bytes of wrapped key, 12 of initialization vector, 16 of tag. */
const wrappedLength = 54;
const ivLength = 16;
const tagLength = 22;

const names = ["alg", "enc", "kid", "epk", "key", "origin", "iat", "jti"];
const thumbprint = /^[\w-]{43}$/;
const randomBits = /^[\w-]{21}[AQgw]$/;
const base64Url = /^[\w-]+$/;

/** One refusal for all reasons: who tries learns nothing from it. */
export function envelopeRefused(): AppError {
  return invalid("card_envelope_refused", "the encrypted card was not taken: encrypt it again with a fresh key");
}

/** Undefined when these bytes are no envelope of ours. */
export function readEnvelopeHeader(envelope: Buffer): EnvelopeHeader | undefined {
  const parts = envelope.toString("latin1").split(".");
  const [head = "", wrapped = "", iv = "", sealed = "", tag = ""] = parts;
  if (parts.length !== 5 || head.length > headerLengthMax || !parts.every((part) => base64Url.test(part))) return undefined;
  if (wrapped.length !== wrappedLength || iv.length !== ivLength || tag.length !== tagLength || sealed === "") return undefined;
  const text = Buffer.from(head, "base64url").toString("utf8");
  const header = parse(text);
  // One spelling: no second value of a name, no white space, no names in another order.
  if (header === undefined || JSON.stringify(header) !== text || Object.keys(header).join() !== names.join()) return undefined;
  const { alg, enc, kid, epk, key, origin, iat, jti } = header as Record<(typeof names)[number], unknown>;
  if (alg !== envelopeAlgorithm || enc !== envelopeEncryption || !isPoint(epk)) return undefined;
  if (typeof kid !== "string" || !thumbprint.test(kid) || typeof jti !== "string" || !randomBits.test(jti)) return undefined;
  if (typeof key !== "string" || typeof origin !== "string" || origin.length > originLengthMax) return undefined;
  if (typeof iat !== "number" || !Number.isSafeInteger(iat)) return undefined;
  return { kid, key, origin, iat, jtiHex: Buffer.from(jti, "base64url").toString("hex") };
}

/** `origins`: where the key's fields may stand; empty is anywhere. `nowMs`: milliseconds since 1970. */
export function isMeantFor(
  header: EnvelopeHeader,
  o: { readonly publishableKey: string; readonly origins: readonly string[]; readonly nowMs: number },
): boolean {
  const ageS = o.nowMs / 1_000 - header.iat;
  return (
    header.key === o.publishableKey &&
    ageS <= envelopeLifeS &&
    ageS >= -clockSkewS &&
    isOrigin(header.origin) &&
    (o.origins.length === 0 || o.origins.includes(header.origin))
  );
}

/** As a browser writes it: scheme, host, port, and nothing else. */
export function isOrigin(text: string): boolean {
  return /^https?:\/\/[^/?#@\s]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the point lies on the curve is for the opening to find out. */
function isPoint(epk: unknown): boolean {
  if (typeof epk !== "object" || epk === null || Object.keys(epk).join() !== "kty,crv,x,y") return false;
  const { kty, crv, x, y } = epk as Record<"kty" | "crv" | "x" | "y", unknown>;
  return kty === "EC" && crv === "P-256" && typeof x === "string" && thumbprint.test(x) && typeof y === "string" && thumbprint.test(y);
}
