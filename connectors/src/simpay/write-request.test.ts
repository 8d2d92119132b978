import { Secret } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import type { AuthorizeCommand, Card } from "../contract/connector.ts";
import { createRequestWriter } from "./write-request.ts";

const writer = createRequestWriter("acquirer:8082", "simpay_key");
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

describe("an authorization on the wire", () => {
  test("head and body are whole, the length is right, the key and the trace are there", () => {
    const { head, body, bodyBytes } = split(writer.authorize(command, card(), call()).bytes);
    expect(head[0]).toBe("POST /v1/authorizations HTTP/1.1");
    expect(head).toContain("host: acquirer:8082");
    expect(head).toContain("authorization: Bearer simpay_key");
    expect(head).toContain("idempotency-key: att_1");
    expect(head).toContain("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    expect(Number(head.find((line) => line.startsWith("content-length:"))?.slice(15))).toBe(bodyBytes);
    expect(Number(head.find((line) => line.startsWith("x-timeout-ms:"))?.slice(13))).toBeGreaterThan(4_000);
    expect(body).toEqual({
      merchant_id: "mer_1",
      payment_id: "pay_1",
      amount: 999_999_999_999,
      currency: "EUR",
      capture: true,
      card: { exp_month: 3, exp_year: 2031, number: "4242424242424242", cvc: "123" },
    });
  });

  test("text from outside stays inside its field, in any script", () => {
    const odd = 'a"}\r\nx: 1, 漢字 é \\';
    const { body, bodyBytes, head } = split(
      writer.authorize({ ...command, merchantReference: odd }, card({ addressLine1: odd, postalCode: odd }), call()).bytes,
    );
    expect(body).toMatchObject({ merchant_reference: odd, card: { address_line1: odd, postal_code: odd } });
    expect(Number(head.find((line) => line.startsWith("content-length:"))?.slice(15))).toBe(bodyBytes);
    expect(head.some((line) => line.startsWith("x: 1"))).toBe(false);
  });

  test("a card without a security code and a very long address", () => {
    const long = "x".repeat(9_000);
    const { body } = split(writer.authorize(command, card({ securityCode: undefined, addressLine1: long }), call()).bytes);
    expect(body).toMatchObject({ card: { address_line1: long, number: "4242424242424242" } });
    expect(body["card"]).not.toHaveProperty("cvc");
  });

  test("the card is wiped when it is in the request", () => {
    const written = card();
    const { bytes } = writer.authorize(command, written, call());
    expect(bytes.includes("4242424242424242")).toBe(true);
    expect([...written.number.expose(), ...(written.securityCode?.expose() ?? [1])].every((byte) => byte === 0)).toBe(true);
  });

  test("a request can be wiped before it is released, and not afterwards, when its buffer is another request's", () => {
    const request = writer.authorize(command, card(), call());
    request.wipe();
    expect(request.bytes.every((byte) => byte === 0)).toBe(true);
    request.release();
    const next = writer.authorize(command, card(), call());
    expect(next.bytes.buffer).toBe(request.bytes.buffer);
    request.wipe();
    expect(next.bytes.includes("4242424242424242")).toBe(true);
    next.release();
  });

  test("a released request is wiped", () => {
    const request = writer.authorize(command, card(), call());
    expect(request.bytes.includes("4242424242424242")).toBe(true);
    request.release();
    expect(request.bytes.every((byte) => byte === 0)).toBe(true);
  });

  test("a malformed trace is left out, a reference with a line break is a bug", () => {
    const { head } = split(writer.authorize(command, card(), { ...call(), traceparent: `${"0".repeat(54)}\n` }).bytes);
    expect(head.some((line) => line.startsWith("traceparent"))).toBe(false);
    expect(() => writer.authorize({ ...command, reference: "a\r\nb" }, card(), call())).toThrow("printable ASCII");
  });
});
