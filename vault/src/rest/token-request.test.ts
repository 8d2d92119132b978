import { AppError } from "@florin/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readTokenRequest } from "./token-request.ts";

const number = "4242424242424242";
const read = (text: string) => readTokenRequest(Buffer.from(text, "utf8"));
const body = (card: object, more: object = {}) => JSON.stringify({ card, ...more });
const good = { number, exp_month: 12, exp_year: 2035 };
const refusal = (text: string): AppError => {
  try {
    read(text);
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown;
    throw thrown;
  }
  throw new Error("was taken");
};

test("a whole request is read, digits as bytes", () => {
  const { card } = read(
    body({ ...good, cvc: "123", name: 'Zoë "Z" O\'Hara' }, { billing: { postal_code: "1010", address_line1: "Straße 1 \u{1f3e0}" } }),
  );
  expect(Buffer.from(card.number.expose()).toString()).toBe(number);
  expect(Buffer.from(card.securityCode?.expose() ?? []).toString()).toBe("123");
  expect(card).toMatchObject({
    expMonth: 12,
    expYear: 2035,
    name: 'Zoë "Z" O\'Hara',
    postalCode: "1010",
    addressLine1: "Straße 1 \u{1f3e0}",
  });
  expect(JSON.stringify(card)).not.toContain(number);
});

test("white space and escapes that mean the same are taken", () => {
  const { card } = read(` {\n "card" : { "num\\u0062er":"${number}" ,\t"exp_month": 1, "exp_year":2035 }\r\n} `);
  expect(card).toMatchObject({ expMonth: 1, name: "", securityCode: undefined });
});

test("usage and time to live are read, and a token is reusable unless it is said otherwise", () => {
  expect(read(body(good)).terms).toEqual({ usage: "reusable", expiresInS: undefined });
  expect(read(body(good, { usage: "single_use" })).terms).toEqual({ usage: "single_use", expiresInS: undefined });
  expect(read(body(good, { usage: "reusable", expires_in: 3_600 })).terms).toEqual({ usage: "reusable", expiresInS: 3_600 });
});

describe("an encrypted PIN", () => {
  const block = "0f1E2d3C4b5A6978";
  const keySerialNumber = "FFFF9876543210E00008";
  const pinIn = (pin: object) => read(body({ ...good, pin })).card.pin;

  test("is read as bytes, with or without its key's serial number, and does not print", () => {
    const pin = pinIn({ block, key_serial_number: keySerialNumber });
    expect(Buffer.from(pin?.block.expose() ?? []).toString("hex")).toBe(block.toLowerCase());
    expect(Buffer.from(pin?.keySerialNumber ?? []).toString("hex")).toBe(keySerialNumber.toLowerCase());
    expect(JSON.stringify(pin?.block)).toBe('"[PIN block]"');
    expect(pinIn({ block })?.keySerialNumber).toBeUndefined();
    expect(read(body(good)).card.pin).toBeUndefined();
  });

  test.each<[string, object, string, string]>([
    ["without a block", { key_serial_number: keySerialNumber }, "parameter_missing", "card.pin.block"],
    ["of seven bytes", { block: block.slice(2) }, "parameter_invalid", "card.pin.block"],
    ["of nine bytes", { block: `${block}00` }, "parameter_invalid", "card.pin.block"],
    ["that is not hexadecimal", { block: `${block.slice(1)}g` }, "parameter_invalid", "card.pin.block"],
    [
      "with a serial number of nine bytes",
      { block, key_serial_number: keySerialNumber.slice(2) },
      "parameter_invalid",
      "card.pin.key_serial_number",
    ],
    ["in clear", { block, pin: "1234" }, "parameter_unknown", "card.pin"],
  ])("%s is refused, and not quoted", (_name, pin, code, param) => {
    const fault = refusal(body({ ...good, pin }));
    expect([fault.code, fault.param]).toEqual([code, param]);
    expect(fault.message.toLowerCase()).not.toContain(block.toLowerCase().slice(2, 14));
  });
});

describe("refused", () => {
  test.each<[string, string, string | undefined, string]>([
    ["an empty body", "invalid_json", undefined, ""],
    ["trailing text", "invalid_json", undefined, `${body(good)} x`],
    ["a second value", "invalid_json", undefined, `${body(good)}{}`],
    ["a trailing comma", "invalid_json", undefined, `{"card":{"number":"${number}","exp_month":1,"exp_year":2035,}}`],
    ["an unfinished string", "invalid_json", undefined, `{"card":{"number":"4242`],
    ["a control character in a string", "invalid_json", undefined, `{"card":{"number":"42\n42"}}`],
    ["a field twice", "invalid_json", "card", `{"card":{"number":"${number}","number":"${number}","exp_month":1,"exp_year":2035}}`],
    ["a field twice, once escaped", "invalid_json", "card", `{"card":{"exp_month":1,"exp_m\\u006fnth":2}}`],
    ["another kind of body", "parameter_invalid", undefined, "[]"],
    ["a word", "invalid_json", undefined, "card"],
    ["no card", "parameter_missing", "card", "{}"],
    ["another usage", "parameter_invalid", "usage", body(good, { usage: "once" })],
    ["a usage that every object has", "parameter_invalid", "usage", body(good, { usage: "toString" })],
    ["a time to live in quotes", "parameter_invalid", "expires_in", body(good, { expires_in: "60" })],
    ["no number", "parameter_missing", "card.number", body({ exp_month: 1, exp_year: 2035 })],
    ["no month", "parameter_missing", "card.exp_month", body({ number, exp_year: 2035 })],
    ["no year", "parameter_missing", "card.exp_year", body({ number, exp_month: 1 })],
    ["a number that is not in quotes", "parameter_invalid", "card.number", `{"card":{"number":${number},"exp_month":1,"exp_year":2035}}`],
    ["a number with spaces", "card_number_invalid", "card.number", body({ ...good, number: "4242 4242 4242 4242" })],
    ["a number in escapes", "card_number_invalid", "card.number", `{"card":{"number":"\\u0034242424242424242"}}`],
    ["a number of 11 digits", "card_number_invalid", "card.number", body({ ...good, number: "42424242424" })],
    ["a number of 20 digits", "card_number_invalid", "card.number", body({ ...good, number: "4".repeat(20) })],
    ["a code of two digits", "card_cvc_invalid", "card.cvc", body({ ...good, cvc: "12" })],
    ["a code of five digits", "card_cvc_invalid", "card.cvc", body({ ...good, cvc: "12345" })],
    ["a code that is null", "parameter_invalid", "card.cvc", body({ ...good, cvc: null })],
    ["a month as text", "parameter_invalid", "card.exp_month", body({ ...good, exp_month: "12" })],
    ["a month with a point", "parameter_invalid", "card.exp_month", `{"card":{"exp_month":12.0}}`],
    ["a month with an exponent", "parameter_invalid", "card.exp_month", `{"card":{"exp_month":1e1}}`],
    ["a month with a leading zero", "parameter_invalid", "card.exp_month", `{"card":{"exp_month":01}}`],
    ["an unknown field", "parameter_unknown", undefined, body(good, { amount: 1 })],
    ["an unknown field of the card", "parameter_unknown", "card", body({ ...good, track2: "1234" })],
    ["an unknown field of billing", "parameter_unknown", "billing", body(good, { billing: { city: "Wien" } })],
    ["__proto__", "parameter_unknown", "card", `{"card":{"__proto__":{}}}`],
    ["a card number as the name of a field", "parameter_unknown", "card", body({ ...good, [number]: "x" })],
    ["a card number as name", "parameter_invalid", "card.name", body({ ...good, name: number })],
    ["a card number as address", "parameter_invalid", "billing.address_line1", body(good, { billing: { address_line1: `x ${number}` } })],
    ["a name that is too long", "parameter_invalid", "card.name", body({ ...good, name: "x".repeat(101) })],
    ["a name with a line break", "parameter_invalid", "card.name", body({ ...good, name: "a\nb" })],
    ["half of a surrogate pair", "parameter_invalid", "card.name", `{"card":{"name":"\\ud800"}}`],
    ["an object as name", "parameter_invalid", "card.name", body({ ...good, name: {} })],
    ["a list as card", "parameter_invalid", "card", `{"card":[]}`],
  ])("%s", (_what, code, param, text) => {
    const fault = refusal(text);
    expect([fault.code, fault.param, fault.work]).toEqual([code, param, "not_done"]);
    expect(`${fault.message}${fault.param}${fault.stack}`).not.toContain("4242");
  });

  test("bytes that are not UTF-8", () => {
    expect(() => readTokenRequest(Buffer.concat([Buffer.from('{"card":{"name":"'), Buffer.from([0xff]), Buffer.from('"}}')]))).toThrow(
      expect.objectContaining({ code: "invalid_json" }),
    );
  });

  test("whatever comes, the answer is a card or an AppError", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.string().map((inner) => `{"card":{"number":"${number}",${inner}}}`),
        ),
        (text) => {
          try {
            read(text);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(AppError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
