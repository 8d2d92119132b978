/** The proof that a stack works: one payment through the REST edge, as a merchant makes it. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

export type FirstPayment = { readonly id: string; readonly status: string; readonly durationMs: number };

const triesMax = 20;
const retryDelayMs = 250;
const requestTimeoutMs = 10_000;

/**
 * Authorizes 10.00 EUR on a test card. Asks again with the same key while the answer is 202 or 503; with a new one where that 503 is the end of a
 * payment (its processor's link was not up yet, nothing was sent): the same key has the same answer for ever.
 */
export async function makeFirstPayment(o: { edgeUrl: string; secretKey: string }): Promise<FirstPayment> {
  let key = newKey();
  const startedAtMs = Date.now();
  for (let tries = 1; ; tries++) {
    const response = await fetch(`${o.edgeUrl}/v1/payments/authorize`, {
      method: "POST",
      headers: { authorization: `Bearer ${o.secretKey}`, "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify(firstPaymentBody),
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    const text = await response.text();
    if (response.status === 201 || response.status === 200) {
      const body = JSON.parse(text) as { id: string; status: string };
      return { id: body.id, status: body.status, durationMs: Date.now() - startedAtMs };
    }
    if ((response.status !== 202 && response.status !== 503) || tries >= triesMax) {
      throw new Error(`the first payment was answered with ${response.status}: ${text.slice(0, 500)}`);
    }
    if (response.status === 503 && hasPayment(text)) key = newKey();
    await sleep(retryDelayMs);
  }
}

const newKey = () => `first-payment-${randomUUID()}`;

function hasPayment(text: string): boolean {
  const { error } = JSON.parse(text) as { readonly error?: { readonly payment?: { readonly status?: string } } };
  return error?.payment?.status === "declined";
}

export const firstPaymentBody = {
  amount: 1_000,
  currency: "EUR",
  payment_method: { type: "card", token: "tok_visa_4242" },
  capture_mode: "manual",
  merchant_reference: "first-payment",
} as const;
