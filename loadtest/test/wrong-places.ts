/** Every place of the API where a card number does not belong, with one in it: mistakes that a merchant's developer makes. */
import { randomUUID } from "node:crypto";
import { type Answer, authorizeBody, call, type Stack } from "./stack.ts";

export type WrongPlace = { readonly name: string; send(stack: Stack): Promise<Answer> };

/** `paymentId`: of a payment that there is. */
export function wrongPlaces(number: string, paymentId: string): readonly WrongPlace[] {
  const groups = number.match(/..../g) ?? [];
  const inNew = (name: string, changes: Record<string, unknown>): WrongPlace => ({
    name,
    send: (stack) => call(stack, "POST", "/v1/payments/authorize", authorizeBody(changes)),
  });
  const post = (name: string, path: string, body: unknown, key: string = randomUUID()): WrongPlace => ({
    name,
    send: (stack) => call(stack, "POST", path, body, { key }),
  });
  const get = (name: string, path: string): WrongPlace => ({ name, send: (stack) => call(stack, "GET", path) });
  return [
    inNew("token", { payment_method: { type: "card", token: number } }),
    inNew("token with a prefix", { payment_method: { type: "card", token: `tok_${number}` } }),
    inNew("card", { card: { number } }),
    inNew("name of a field", { [number]: true }),
    inNew("amount", { amount: Number(number) }),
    inNew("currency", { currency: number }),
    inNew("merchant_reference", { merchant_reference: number }),
    inNew("merchant_reference with blanks", { merchant_reference: groups.join(" ") }),
    inNew("description", { description: `paid with ${groups.join("-")}` }),
    inNew("description, in base64", { description: Buffer.from(number).toString("base64") }),
    inNew("metadata", { metadata: { card: number } }),
    inNew("name in metadata", { metadata: { [number]: "card" } }),
    inNew("pieces in metadata", { metadata: { a: groups[0], b: groups[1], c: groups[2], d: groups[3] } }),
    inNew("customer_ip", { customer_ip: number }),
    post("idempotency key", "/v1/payments/authorize", authorizeBody(), number),
    post("payment id", `/v1/payments/${number}/capture`, {}),
    post("amount of a capture", `/v1/payments/${paymentId}/capture`, { amount: Number(number) }),
    post("field of a capture", `/v1/payments/${paymentId}/capture`, { number }),
    post("field of a void", `/v1/payments/${paymentId}/void`, { number }),
    post("reason of a refund", `/v1/payments/${paymentId}/refund`, { reason: `card ${number}` }),
    post("body of text", "/v1/payments/authorize", number),
    get("path", `/v1/cards/${number}`),
    get("payment", `/v1/payments/${number}`),
    get("filter", `/v1/payments?merchant_reference=${number}`),
    get("name of a filter", `/v1/payments?${number}=1`),
    get("cursor", `/v1/payments?cursor=${number}`),
    {
      name: "secret key",
      send: (stack) => call(stack, "GET", "/v1/payments", undefined, { secretKey: number }),
    },
  ];
}
