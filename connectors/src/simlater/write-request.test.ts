import { Secret } from "@florin/kernel";
import { expect, test } from "vitest";
import type { AuthorizeCommand, Card } from "../contract/connector.ts";
import { createRequestWriter } from "./write-request.ts";

const writer = createRequestWriter("acquirer:8082", "later_key");
const command: AuthorizeCommand = {
  reference: "att_1",
  merchantId: "mer_1",
  paymentId: "pay_1",
  merchantReference: "",
  amount: 999_999_999_999n,
  currency: "EUR",
  capture: true,
};
const card = (change: Partial<Card> = {}): Card => ({
  number: new Secret(Buffer.from("4242424242424242")),
  expMonth: 3,
  expYear: 2031,
  securityCode: new Secret(Buffer.from("123")),
  postalCode: "",
  addressLine1: "",
  ...change,
});
const call = () => ({ deadlineAtMs: Date.now() + 5_000, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" });

function split(bytes: Buffer): { head: string[]; body: Record<string, unknown>; bodyBytes: number } {
  const text = bytes.toString("utf8");
  const at = text.indexOf("\r\n\r\n");
  const body = text.slice(at + 4);
  return { head: text.slice(0, at).split("\r\n"), body: JSON.parse(body), bodyBytes: Buffer.byteLength(body) };
}

test("an order is whole: key, trace, length, decimal amount, card", () => {
  const { head, body, bodyBytes } = split(writer.order(command, card(), call()).bytes);
  expect(head[0]).toBe("POST /later/orders HTTP/1.1");
  expect(head).toContain("host: acquirer:8082");
  expect(head).toContain("x-later-key: later_key");
  expect(head).toContain(`traceparent: ${call().traceparent}`);
  expect(Number(head.find((line) => line.startsWith("content-length:"))?.slice(15))).toBe(bodyBytes);
  expect(body).toEqual({
    orderRef: "att_1",
    shop: "mer_1",
    purchase: "pay_1",
    total: { value: "9999999999.99", ccy: "EUR" },
    settle: true,
    instrument: { until: "03/31", pan: "4242424242424242", code: "123" },
  });
});

test("text from outside stays inside its field, in any script", () => {
  const odd = 'a"}\r\nx: 1, 漢字 é \\';
  const { body, head } = split(
    writer.order({ ...command, merchantReference: odd }, card({ addressLine1: odd, postalCode: odd }), call()).bytes,
  );
  expect(body).toMatchObject({ note: odd, instrument: { street: odd, zip: odd } });
  expect(head.some((line) => line.startsWith("x: 1"))).toBe(false);
});

test("the card is wiped when it is in the request, which is wiped when it is released", () => {
  const written = card();
  const request = writer.order(command, written, call());
  expect([...written.number.expose(), ...(written.securityCode?.expose() ?? [1])].every((byte) => byte === 0)).toBe(true);
  expect(request.bytes.includes("4242424242424242")).toBe(true);
  request.release();
  expect(request.bytes.every((byte) => byte === 0)).toBe(true);
});

test("a card without a security code has none in the request", () => {
  const { body } = split(writer.order(command, card({ securityCode: undefined }), call()).bytes);
  expect(body["instrument"]).toEqual({ until: "03/31", pan: "4242424242424242" });
});
