import { createSecretKey, randomBytes } from "node:crypto";
import { makeId, Secret } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { bindingBytes, decodeCard, encodeCard, type SealBinding } from "../domain/sealed-card.ts";
import { makeToken } from "../domain/token.ts";
import { fingerprintOf, open, seal } from "./card-cipher.ts";

const key = createSecretKey(randomBytes(32));
const otherKey = createSecretKey(randomBytes(32));
const merchant = () => makeId("merchant", Date.now(), randomBytes(10));
const binding: SealBinding = {
  token: makeToken(randomBytes(16)),
  merchantId: merchant(),
  epoch: 3,
  mode: "test",
  expMonth: 12,
  expYear: 2035,
  usage: "reusable",
};
const card = { number: new Secret(Buffer.from("4242424242424242")), postalCode: "1010", addressLine1: "Straße 1", name: "Ödön" };
const refusal = expect.objectContaining({ name: "AppError", code: "internal", work: "not_done", message: "a sealed card does not open" });
const openFault = (...words: Parameters<typeof open>): unknown => {
  try {
    return open(...words);
  } catch (thrown) {
    return thrown;
  }
};

describe("a seal", () => {
  test("gives back what was sealed", () => {
    const opened = decodeCard(open(key, bindingBytes(binding), seal(key, bindingBytes(binding), encodeCard(card))));
    expect({ ...opened, number: Buffer.from(opened.number).toString() }).toEqual({
      number: "4242424242424242",
      postalCode: "1010",
      addressLine1: "Straße 1",
      name: "Ödön",
    });
  });

  test("does not open when a single bit was changed anywhere", () => {
    const sealed = seal(key, bindingBytes(binding), encodeCard(card));
    for (let index = 0; index < sealed.length; index++) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 0x10;
      expect(openFault(key, bindingBytes(binding), changed)).toEqual(refusal);
    }
    for (const length of [0, 12, 27, sealed.length - 1])
      expect(openFault(key, bindingBytes(binding), sealed.subarray(0, length))).toEqual(refusal);
  });

  test("does not open under another key", () => {
    expect(openFault(otherKey, bindingBytes(binding), seal(key, bindingBytes(binding), encodeCard(card)))).toEqual(refusal);
  });

  test.each<[string, Partial<SealBinding>]>([
    ["token", { token: makeToken(randomBytes(16)) }],
    ["merchant", { merchantId: merchant() }],
    ["epoch", { epoch: 4 }],
    ["mode", { mode: "live" }],
    ["expiry month", { expMonth: 11 }],
    ["expiry year", { expYear: 2036 }],
  ])("does not open beside another %s", (_what, change) => {
    const sealed = seal(key, bindingBytes(binding), encodeCard(card));
    expect(openFault(key, bindingBytes({ ...binding, ...change }), sealed)).toEqual(refusal);
  });

  test("shows nothing of the number, and the fault of a broken one neither", () => {
    const sealed = seal(key, bindingBytes(binding), encodeCard(card));
    expect(sealed.includes("4242")).toBe(false);
    const fault = openFault(otherKey, bindingBytes(binding), sealed) as Error;
    expect(`${fault.message}${fault.stack}`).not.toContain("4242");
    expect(fault.cause).toBeUndefined();
  });

  test("never uses a nonce twice", () => {
    const plain = encodeCard(card);
    const nonces = new Set<string>();
    const count = 20_000;
    for (let number = 0; number < count; number++) nonces.add(seal(key, bindingBytes(binding), plain).toString("hex", 0, 12));
    expect(nonces.size).toBe(count);
  });
});

describe("a fingerprint", () => {
  const of = (number: string, under = key) => fingerprintOf(under, Buffer.from(number)).toString("hex");

  test("is the same for the same number, and another one for another number or merchant", () => {
    expect(of("4242424242424242")).toMatch(/^[0-9a-f]{32}$/);
    expect(of("4242424242424242")).toBe(of("4242424242424242"));
    expect(of("4242424242424242")).not.toBe(of("4000056655665556"));
    expect(of("4242424242424242")).not.toBe(of("4242424242424242", otherKey));
  });
});
