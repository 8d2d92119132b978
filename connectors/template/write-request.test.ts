import { Secret } from "@florin/kernel";
import { expect, test } from "vitest";
import type { AuthorizeCommand, Card } from "../src/contract/connector.ts";
import { createRequestWriter } from "./write-request.ts";

const writer = createRequestWriter("acquirer:8082", "key");
const command: AuthorizeCommand = {
  reference: "att_1",
  merchantId: "mer_1",
  paymentId: "pay_1",
  merchantReference: "",
  amount: 1_000n,
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
const call = { deadlineAtMs: Date.now() + 5_000, traceparent: "" };

function split(bytes: Buffer): { head: string[]; body: Record<string, unknown>; bodyBytes: number } {
  const text = bytes.toString("utf8");
  const at = text.indexOf("\r\n\r\n");
  const body = text.slice(at + 4);
  return { head: text.slice(0, at).split("\r\n"), body: JSON.parse(body), bodyBytes: Buffer.byteLength(body) };
}

/** Fill in: one whole request as the documentation shows it, field by field. */
test("an authorization is whole: head, length, card", () => {
  const { head, body, bodyBytes } = split(writer.authorize(command, card(), call).bytes);
  expect(head[0]).toBe("POST /payments HTTP/1.1");
  expect(Number(head.find((line) => line.startsWith("content-length:"))?.slice(15))).toBe(bodyBytes);
  expect(body).toMatchObject({ reference: "att_1", amount: "1000", currency: "EUR", card: { number: "4242424242424242", code: "123" } });
});

test("text from outside stays inside its field, in any script", () => {
  const odd = 'a"}\r\nx: 1, 漢字 é \\';
  const { body, head } = split(writer.authorize({ ...command, merchantReference: odd }, card({ addressLine1: odd }), call).bytes);
  expect(body).toMatchObject({ note: odd, card: { street: odd } });
  expect(head.some((line) => line.startsWith("x: 1"))).toBe(false);
});

test("the card is wiped when it is in the request, which is wiped when it is released", () => {
  const written = card();
  const request = writer.authorize(command, written, call);
  expect([...written.number.expose(), ...(written.securityCode?.expose() ?? [1])].every((byte) => byte === 0)).toBe(true);
  request.release();
  expect(request.bytes.every((byte) => byte === 0)).toBe(true);
});
