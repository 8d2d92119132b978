/** Whether a caller sent the acquirer's key. The time of a comparison tells neither the key nor its length. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Secret } from "@florin/kernel";

/** `prefix`: what stands before the key in its header. */
export function createCallerKey(key: Secret, prefix = ""): (header: string | string[] | undefined) => boolean {
  const expected = digestOf(prefix + Buffer.from(key.expose()).toString("utf8"));
  return (header) => typeof header === "string" && timingSafeEqual(digestOf(header), expected);
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
