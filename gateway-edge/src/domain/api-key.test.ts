import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyRandomBytes, makeSecretKey, parseBearer } from "./api-key.ts";

const key = makeSecretKey("test", new Uint8Array(keyRandomBytes).fill(9));

describe("secret keys", () => {
  test("a made key is read back", () => {
    const random = fc.uint8Array({ minLength: keyRandomBytes, maxLength: keyRandomBytes });
    fc.assert(
      fc.property(fc.constantFrom("test" as const, "live" as const), random, (mode, bytes) => {
        const made = makeSecretKey(mode, bytes);
        expect(parseBearer(`Bearer ${made.secretKey}`)).toEqual(made);
        expect(parseBearer(`bearer  ${made.secretKey}`)).toEqual(made);
      }),
    );
  });

  test.each([
    ["no scheme", key.secretKey],
    ["another scheme", `Basic ${key.secretKey}`],
    ["a publishable key", `Bearer ${key.secretKey.replace("sk_", "pk_")}`],
    ["upper case", `Bearer ${key.secretKey.toUpperCase()}`],
    ["an upper case public part", `Bearer ${key.secretKey.slice(0, 8)}${"A".repeat(16)}${key.secretKey.slice(24)}`],
    ["another world", `Bearer ${key.secretKey.replace("test", "prod")}`],
    ["a short secret", `Bearer ${key.secretKey.slice(0, -1)}`],
    ["a long secret", `Bearer ${key.secretKey}${"0".repeat(33)}`],
    ["something behind it", `Bearer ${key.secretKey} x`],
    ["nothing", ""],
  ])("%s is no key", (_, header) => expect(parseBearer(header)).toBeUndefined());
});
