import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { concatKdfInput, makeJti } from "./jwe.ts";

/** RFC 7518 appendix C: ECDH-ES with A128GCM for "Alice" and "Bob". */
test("the key derivation is that of the RFC's example", () => {
  const shared = new Uint8Array([
    158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163, 218, 128, 106, 72, 246, 218, 167, 121,
    140, 254, 144, 196,
  ]);
  const input = concatKdfInput(shared, { name: "A128GCM", partyU: "Alice", partyV: "Bob", bits: 128 });
  expect(createHash("sha256").update(input).digest().subarray(0, 16).toString("base64url")).toBe("VqqN6vgjbSBcIijNcacQGg");
});

test("every envelope has a name of 128 random bits", () => {
  const names = Array.from({ length: 1_000 }, makeJti);
  expect(new Set(names).size).toBe(1_000);
  for (const name of names) expect(name).toMatch(/^[\w-]{21}[AQgw]$/);
});
