/** The parameters of a request in 32 bytes: what "the same request" means for an idempotency key (R38). */
import { hash } from "node:crypto";

/**
 * SHA-256 over the operation's name and its parameters in the given order. JSON keeps the borders between values, so that ["ab",""] and
 * ["a","b"] differ. The caller and the key are not part of it: a key is scoped to its merchant anyway.
 */
export function requestHash(operation: string, parameters: readonly (string | bigint | boolean | undefined)[]): Buffer {
  const text = JSON.stringify([operation, ...parameters.map((value) => (typeof value === "bigint" ? `${value}` : (value ?? null)))]);
  return hash("sha256", text, "buffer");
}
