import { describe, expect, test } from "vitest";
import { maskCardNumbers, maskLine } from "./line-guard.ts";

const visa = "4242424242424242";

describe("maskCardNumbers", () => {
  test.each([
    ["a plain number", visa],
    ["with spaces", "4242 4242 4242 4242"],
    ["with dashes", "4242-4242-4242-4242"],
    ["an American Express number", "378282246310005"],
    ["19 digits", "6304000000000000000"],
    ["13 digits", "4222222222222"],
  ])("%s is masked", (_, number) => {
    expect(maskCardNumbers(`declined ${number}.`)).toBe("declined [masked number].");
  });

  test("a number beside other digits is found", () => {
    expect(maskCardNumbers(`try 2 ${visa} 12/30`)).toBe("try 2 [masked number] 12/30");
    expect(maskCardNumbers(`${visa} ${visa}`)).toBe("[masked number] [masked number]");
  });

  test.each([
    ["a number that fails the check digit", "4242424242424241"],
    ["a short number", "424242424242"],
    ["an id", "pay_01k9q3m5x7f8g9h0j1k2m3n4p5"],
    ["a time", "2026-11-21T05:37:56.695Z"],
    ["an amount", "amount 999999999999"],
  ])("%s stays", (_, text) => {
    expect(maskCardNumbers(text)).toBe(text);
  });
});

describe("maskLine", () => {
  const masked = (value: unknown): unknown => JSON.parse(maskLine(`${JSON.stringify(value)}\n`));

  test("masks inside strings and numbers at any depth and stays JSON", () => {
    expect(masked({ a: [{ b: `x ${visa} y` }], n: Number(visa), at_ms: 1_795_239_476_695 })).toEqual({
      a: [{ b: "x [masked number] y" }],
      n: "[masked number]",
      at_ms: 1_795_239_476_695,
    });
  });

  test("masks fields that are named like card data or a credential, at any depth and in any case", () => {
    expect(masked({ cvc: "123", deep: { headers: { Authorization: "Bearer x" } }, list: [{ api_key: "sk" }] })).toEqual({
      cvc: "[redacted]",
      deep: { headers: { Authorization: "[redacted]" } },
      list: [{ api_key: "[redacted]" }],
    });
  });

  test("masks the password of a URL", () => {
    expect(masked({ message: "cannot reach postgres://app:hunter2@127.0.0.1/db" })).toEqual({
      message: "cannot reach postgres://app:[redacted]@127.0.0.1/db",
    });
  });

  test("a harmless line is the same object", () => {
    const line = '{"level":"info","message":"started","url":"/v1/payments?x=1"}\n';
    expect(maskLine(line)).toBe(line);
  });

  test("what is not JSON is masked as text", () => {
    expect(maskLine(`oops ${visa}`)).toBe("oops [masked number]");
  });
});
