/** The two ways in refuse the same: REST by its schemas, Connect by the rules. */
import type { AppError } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { limits } from "../domain/limits.ts";
import { problemOfCreate, problemOfReason } from "../domain/payment-rules.ts";
import { compileCheck } from "./check-input.ts";
import { handlers } from "./handlers.ts";
import { authorizeNewRequest, createPaymentRequest, refundRequest } from "./schemas.ts";

const checkCreate = compileCheck(createPaymentRequest, "body");
const checkRefund = compileCheck(refundRequest, "body");
const call = { key: { keyId: "k", merchantId: "m", mode: "test", actor: "key:k" }, requestId: "req_x", traceparent: undefined } as const;

/** The fault with which REST refuses a body for a new payment; undefined when it would be sent. */
async function refusedByRest(body: Record<string, unknown>): Promise<AppError | undefined> {
  let sent = false;
  const never = async () => {
    sent = true;
    throw new Error("sent");
  };
  const payments = { create: never } as unknown as Parameters<typeof handlers.createPayment>[0];
  try {
    checkCreate(body);
    await handlers.createPayment(payments, { call, idempotencyKey: "k", id: "", body, query: {} });
  } catch (thrown) {
    if (!sent) return thrown as AppError;
  }
  return undefined;
}

function refusedByRules(body: Record<string, unknown>): AppError | undefined {
  const method = body["payment_method"] as { type: string; token: string } | undefined;
  return problemOfCreate({
    amount: BigInt(body["amount"] as number),
    currency: body["currency"] as string,
    merchantReference: (body["merchant_reference"] as string | undefined) ?? "",
    uniqueReference: (body["unique_reference"] as boolean | undefined) ?? false,
    description: (body["description"] as string | undefined) ?? "",
    metadata: (body["metadata"] as Record<string, string> | undefined) ?? {},
    paymentMethod: method,
    confirm: (body["confirm"] as boolean | undefined) ?? false,
    customerIp: (body["customer_ip"] as string | undefined) ?? "",
  });
}

const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));
const method = (token: string, type = "card") => ({ type, token });
const cases: readonly (readonly [string, Record<string, unknown>, string | undefined])[] = [
  ["the smallest amount", { amount: 1 }, undefined],
  ["the largest amount", { amount: limits.amountMinorMax }, undefined],
  ["zero", { amount: 0 }, "amount_invalid"],
  ["a negative amount", { amount: -1 }, "amount_invalid"],
  ["one above the largest amount", { amount: limits.amountMinorMax + 1 }, "amount_invalid"],
  ["yen", { currency: "JPY" }, undefined],
  ["lower case", { currency: "eur" }, "currency_unknown"],
  ["a withdrawn currency", { currency: "HRK" }, "currency_unknown"],
  ["a name of Object.prototype", { currency: "toString" }, "currency_unknown"],
  ["the longest reference", { merchant_reference: "é".repeat(255) }, undefined],
  ["the longest reference in pairs of surrogates", { merchant_reference: "😀".repeat(255) }, undefined],
  ["a reference that is too long", { merchant_reference: "r".repeat(256) }, "parameter_invalid"],
  ["a reference with a line break", { merchant_reference: "a\nb" }, "parameter_invalid"],
  ["a reference with a NUL", { merchant_reference: "a\u0000" }, "parameter_invalid"],
  ["a unique reference", { merchant_reference: "a", unique_reference: true }, undefined],
  ["a unique reference without one", { unique_reference: true }, "parameter_missing"],
  ["the longest description", { description: "d".repeat(1_000) }, undefined],
  ["a description that is too long", { description: "d".repeat(1_001) }, "parameter_invalid"],
  ["50 pairs", { metadata: pairs(50) }, undefined],
  ["51 pairs", { metadata: pairs(51) }, "parameter_invalid"],
  ["a key of 40 characters", { metadata: { ["k".repeat(40)]: "" } }, undefined],
  ["a key of 41 characters", { metadata: { ["k".repeat(41)]: "" } }, "parameter_invalid"],
  ["an empty key", { metadata: { "": "v" } }, "parameter_invalid"],
  ["a value of 500 characters", { metadata: { k: "v".repeat(500) } }, undefined],
  ["a value of 501 characters", { metadata: { k: "v".repeat(501) } }, "parameter_invalid"],
  ["a value with an escape", { metadata: { k: "\u001b[31m" } }, "parameter_invalid"],
  ["a token", { payment_method: method("tok_visa_4242") }, undefined],
  ["confirm with a token", { payment_method: method("tok_visa_4242"), confirm: true }, undefined],
  ["confirm without one", { confirm: true }, "parameter_missing"],
  ["a card number as token", { payment_method: method("4242424242424242") }, "parameter_invalid"],
  ["a token that is too long", { payment_method: method(`tok_${"a".repeat(65)}`) }, "parameter_invalid"],
  ["another type", { payment_method: method("tok_x", "wallet") }, "parameter_invalid"],
  ["an IPv4 address", { customer_ip: "203.0.113.255" }, undefined],
  ["an IPv6 address", { customer_ip: "2001:db8::8:800:200c:417a" }, undefined],
  ["an IPv4-mapped address", { customer_ip: "::ffff:203.0.113.7" }, undefined],
  ["a network", { customer_ip: "203.0.113.0/24" }, "parameter_invalid"],
  ["an address that is none", { customer_ip: "203.0.113.256" }, "parameter_invalid"],
  ["two gaps", { customer_ip: "1::2::3" }, "parameter_invalid"],
  ["nine groups", { customer_ip: "1:2:3:4:5:6:7:8:9" }, "parameter_invalid"],
  ["a host name", { customer_ip: "localhost" }, "parameter_invalid"],
];

describe("a new payment", () => {
  test.each(cases)("%s", async (_, changes, code) => {
    const body = { amount: 100, currency: "EUR", ...changes };
    expect((await refusedByRest(body))?.code).toBe(code);
    expect(refusedByRules(body)?.code).toBe(code);
  });
});

describe("a reason", () => {
  test.each([
    ["requested_by_customer", true],
    ["r".repeat(255), true],
    ["r".repeat(256), false],
    ["", false],
    ["   ", false],
    ["a\tb", false],
  ])("%j", (reason, isTaken) => {
    const byRest = () => checkRefund({ reason });
    if (isTaken) expect(byRest).not.toThrow();
    else expect(byRest).toThrow();
    expect(problemOfReason(reason) === undefined).toBe(isTaken);
  });
});

describe("what only JSON can get wrong", () => {
  const checkNew = compileCheck(authorizeNewRequest, "body");
  const good = { amount: 100, currency: "EUR", payment_method: { type: "card", token: "tok_visa_4242" } };
  test.each([
    ["no object", [], "parameter_invalid", undefined],
    ["null", null, "parameter_invalid", undefined],
    ["an unknown field", { ...good, amnt: 1 }, "parameter_unknown", "amnt"],
    ["a field of Object.prototype", { ...good, constructor: 1 }, "parameter_unknown", "constructor"],
    [
      "an unknown field inside",
      { ...good, payment_method: { ...good.payment_method, cvc: "123" } },
      "parameter_unknown",
      "payment_method.cvc",
    ],
    [
      "card data instead of a token",
      { ...good, payment_method: { type: "card", number: "4242424242424242" } },
      "parameter_unknown",
      "payment_method.number",
    ],
    ["a missing field", { currency: "EUR", payment_method: good.payment_method }, "parameter_missing", "amount"],
    ["a missing field inside", { ...good, payment_method: { type: "card" } }, "parameter_missing", "payment_method.token"],
    ["an amount as text", { ...good, amount: "100" }, "amount_invalid", "amount"],
    ["null as an amount", { ...good, amount: null }, "amount_invalid", "amount"],
    ["an amount beyond int64", { ...good, amount: 2 ** 70 }, "amount_invalid", "amount"],
    ["a number as currency", { ...good, currency: 978 }, "currency_unknown", "currency"],
    ["a number in metadata", { ...good, metadata: { a: 1 } }, "parameter_invalid", "metadata.a"],
    ["a list as metadata", { ...good, metadata: [] }, "parameter_invalid", "metadata"],
    ["another capture mode", { ...good, capture_mode: "later" }, "parameter_invalid", "capture_mode"],
    ["text as a boolean", { ...good, unique_reference: "true" }, "parameter_invalid", "unique_reference"],
  ])("%s is refused with its code and field", (_, body, code, param) => {
    let fault: AppError | undefined;
    try {
      checkNew(body);
    } catch (thrown) {
      fault = thrown as AppError;
    }
    expect([fault?.code, fault?.param, fault?.work]).toEqual([code, param, "not_done"]);
    expect(fault?.message).not.toContain("4242");
  });

  test("a word of a closed list is refused with the list", () => {
    expect(() => checkNew({ ...good, capture_mode: "later" })).toThrow("capture_mode must be one of manual, automatic");
    expect(() => checkNew({ ...good, payment_method: { ...good.payment_method, type: "crad" } })).toThrow(
      "payment_method.type must be card",
    );
  });
});
