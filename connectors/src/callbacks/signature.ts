/**
 * Who speaks, and when: HMAC-SHA256 over `<time>.<body>`, with the key that the sender names.
 *
 * The time is under the signature, so a callback that somebody kept cannot be played again later; within the tolerance the event's id tells
 * repetitions. A wrong signature takes the same time whatever is wrong with it, and a key that nobody has is a wrong signature.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Secret } from "@florin/kernel";

export type Signed = {
  readonly keyId: string;
  /** Unix seconds, as it was sent. */
  readonly time: string;
  /** In hex, as it was sent. */
  readonly signature: string;
  readonly body: Uint8Array;
};

export type SignatureCheck = (signed: Signed, nowMs: number) => "right" | "signature_wrong" | "time_wrong";

const timePattern = /^\d{1,12}$/;
const hmacBytes = 32;
/** In place of a key that is not there: the work is the same, and nobody can sign with it. */
const nobodysKey = randomBytes(hmacBytes);

/** `keys` by their names; several while one is being replaced. */
export function createSignatureCheck(o: { readonly keys: ReadonlyMap<string, Secret>; readonly toleranceMs: number }): SignatureCheck {
  return ({ keyId, time, signature, body }, nowMs) => {
    const key = o.keys.get(keyId);
    const expected = createHmac("sha256", key?.expose() ?? nobodysKey)
      .update(`${time}.`)
      .update(body)
      .digest();
    const isRight = timingSafeEqual(expected, bytesOf(signature)) && key !== undefined;
    if (!isRight) return "signature_wrong";
    const isTimely = timePattern.test(time) && Math.abs(nowMs - Number(time) * 1_000) <= o.toleranceMs;
    return isTimely ? "right" : "time_wrong";
  };
}

/** As long as a signature, whatever was sent: what is no hex of that length is no signature. */
function bytesOf(signature: string): Buffer {
  const bytes = Buffer.alloc(hmacBytes);
  if (signature.length === 2 * hmacBytes) bytes.write(signature, "hex");
  return bytes;
}
