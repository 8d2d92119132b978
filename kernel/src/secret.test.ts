import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { Secret } from "./secret.ts";

const text = "4242424242424242";
const secret = (): Secret => new Secret(new TextEncoder().encode(text), "424242******4242");

describe("Secret", () => {
  test.each([
    ["a template", (value: Secret) => `${value}`],
    ["JSON", (value: Secret) => JSON.stringify({ card: value })],
    ["inspect", (value: Secret) => inspect({ card: { number: value } }, { depth: 9, showHidden: true })],
    ["string concatenation", (value: Secret) => `${String(value)}!`],
    ["object spread", (value: Secret) => JSON.stringify({ ...value })],
    ["an error message", (value: Secret) => String(new Error(`no ${value}`))],
    ["property listing", (value: Secret) => JSON.stringify([Object.entries(value), Reflect.ownKeys(value).map(String)])],
  ])("%s shows the mask at most", (_name, print) => {
    const printed = print(secret());
    expect(printed).not.toContain(text);
    expect(printed).not.toContain("52,50,52,50");
  });

  test("a copy by structuredClone holds nothing", () => expect(JSON.stringify(structuredClone(secret()))).not.toContain("42"));

  test("expose gives the bytes and wipe overwrites them", () => {
    const value = secret();
    const bytes = value.expose();
    expect(new TextDecoder().decode(bytes)).toBe(text);
    value.wipe();
    value.wipe();
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  test("without a mask it prints as [secret]", () => expect(String(new Secret(new Uint8Array(4)))).toBe("[secret]"));
});
