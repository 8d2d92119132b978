import { describe, expect, test } from "vitest";
import { countCardNumbersMasked, guardLine, maskCardNumbers } from "./line-guard.ts";

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
    expect(maskCardNumbers(`declined ${number}.`, "span")).toBe("declined [masked number].");
  });

  test("a number beside other digits is found", () => {
    expect(maskCardNumbers(`try 2 ${visa} 12/30`, "span")).toBe("try 2 [masked number] 12/30");
    expect(maskCardNumbers(`${visa} ${visa}`, "span")).toBe("[masked number] [masked number]");
  });

  test.each([
    ["a number that fails the check digit", "4242424242424241"],
    ["a short number", "424242424242"],
    ["an id", "pay_01k9q3m5x7f8g9h0j1k2m3n4p5"],
    ["a time", "2026-11-21T05:37:56.695Z"],
    ["an amount", "amount 999999999999"],
  ])("%s stays", (_, text) => {
    expect(maskCardNumbers(text, "span")).toBe(text);
  });
});

describe("guardLine", () => {
  const masked = (value: unknown): unknown => JSON.parse(guardLine(`${JSON.stringify(value)}\n`).line);

  test("masks inside strings and numbers at any depth and stays JSON", () => {
    expect(masked({ a: [{ b: `x ${visa} y` }], n: Number(visa), at_ms: 1_795_239_476_695 })).toEqual({
      a: [{ b: "x [masked number] y" }],
      n: "[masked number]",
      at_ms: 1_795_239_476_695,
    });
  });

  test("masks fields that are named like card data or a credential, at any depth and in any case", () => {
    expect(masked({ pin: { block: "0F1E" }, pinBlock: "0F1E", pin_block: "0F1E", pinned: true })).toEqual({
      pin: "[redacted]",
      pinBlock: "[redacted]",
      pin_block: "[redacted]",
      pinned: true,
    });
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
    expect(guardLine(line)).toEqual({ line, maskedIn: undefined });
  });

  test("what is not JSON is masked as text", () => {
    expect(guardLine(`oops ${visa}`).line).toBe("oops [masked number]");
  });

  test.each([
    ["base64", Buffer.from(visa).toString("base64")],
    ["hex", Buffer.from(visa).toString("hex")],
    ["a Buffer", Buffer.from(visa).toJSON()],
    ["an inspected Buffer", `<Buffer ${Buffer.from(visa).toString("hex").replace(/..\B/g, "$& ")}>`],
    ["a URL", `https://x.example/?card=${[...visa].map((digit) => `%3${digit}`).join("")}`],
    ["JSON inside JSON", JSON.stringify({ body: JSON.stringify({ pan: visa }) })],
    ["a list of groups", visa.match(/..../g)],
    ["fields", { a: "4242", b: "4242", c: "4242", d: "4242" }],
  ])("nothing of a number is left when it is %s", (_, value) => {
    const { line, maskedIn } = guardLine(`${JSON.stringify({ level: "info", time: "2026-11-21T05:37:56.695Z", service: "x", value })}\n`);
    expect(maskedIn).toBeDefined();
    expect(JSON.parse(line)).toMatchObject({ level: "info", time: "2026-11-21T05:37:56.695Z" });
    expect(line).not.toMatch(/4242|52,50,52|34 32 34|%34%32|34323432|NDI0/);
  });

  test("names the field, and masks what is wrong with the name", () => {
    expect(guardLine(JSON.stringify({ err: { cause: { message: `x ${visa}` } } })).maskedIn).toBe("err.cause.message");
    expect(guardLine(JSON.stringify({ body: { [visa]: 1 } })).maskedIn).toBe("body");
  });

  test("counts what it masks", () => {
    const before = countCardNumbersMasked("log");
    guardLine(JSON.stringify({ a: visa, b: "x" }));
    expect(countCardNumbersMasked("log")).toBe(before + 1);
  });
});
