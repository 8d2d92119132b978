import fc from "fast-check";
import { expect, test } from "vitest";
import { keyRandomBytes, makePublishableKey, parseBearer } from "./publishable-key.ts";
import { isStoredToken, makeToken, tokenRandomBytes, tokenToHex } from "./token.ts";

test("a token carries its 128 bits", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: tokenRandomBytes, maxLength: tokenRandomBytes }), (random) => {
      const token = makeToken(random);
      expect(token).toMatch(/^tok_[0-9a-z]{26}$/);
      expect(isStoredToken(token)).toBe(true);
      expect(tokenToHex(token)).toBe(Buffer.from(random).toString("hex"));
    }),
  );
});

test("only the one canonical spelling is a stored token", () => {
  const token = makeToken(new Uint8Array(16).fill(9));
  for (const wrong of [
    "tok_visa_4242",
    token.toUpperCase(),
    `${token}0`,
    token.slice(0, -1),
    token.replace(/.$/, "u"),
    `tok_8${token.slice(5)}`,
    "",
  ])
    expect([wrong, isStoredToken(wrong)]).toEqual([wrong, false]);
});

test("a publishable key is read as it was made, and nothing else is one", () => {
  const key = makePublishableKey(
    "live",
    Uint8Array.from({ length: keyRandomBytes }, (_, index) => index * 9),
  );
  expect(key).toMatch(/^pk_live_[0-9a-z]{26}$/);
  expect(parseBearer(`Bearer ${key}`)).toEqual({ mode: "live", publishableKey: key });
  expect(parseBearer(`bearer  ${key}`)).toEqual({ mode: "live", publishableKey: key });
  for (const wrong of [
    key,
    `Basic ${key}`,
    `Bearer ${key}x`,
    `Bearer ${key.toUpperCase()}`,
    `Bearer sk_${key.slice(3)}`,
    "Bearer ",
    `Bearer ${key} `,
  ])
    expect([wrong, parseBearer(wrong)]).toEqual([wrong, undefined]);
});
