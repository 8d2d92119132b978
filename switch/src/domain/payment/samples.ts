/** Ready-made values for the domain's tests and benches. */
import type { Attempt } from "./authorize.ts";
import type { CreatePayment } from "./create.ts";
import type { Origin } from "./event.ts";
import type { Outcome } from "./outcome.ts";

export const sampleOrigin: Origin = { actor: "key:test", requestId: "req_test", traceparent: "" };

export const sampleNowMs = Date.UTC(2026, 0, 1);

export const sampleLifetimeMs = 7 * 24 * 60 * 60 * 1000;

export function sampleCreate(changes: Partial<CreatePayment> = {}): CreatePayment {
  return {
    id: "pay_01kdvj9m0000000000000000aa",
    merchantId: "mer_01kdvj9m0000000000000000aa",
    mode: "test",
    amount: 10_000n,
    currency: "EUR",
    captureMode: "manual",
    merchantReference: "order-1",
    uniqueReference: false,
    description: "",
    metadata: {},
    ...changes,
  };
}

export function sampleAttempt(attemptId = "att_1"): Attempt {
  return {
    attemptId,
    token: "tok_visa_4242",
    card: { brand: "visa", bin: "42424242", last4: "4242", expMonth: 12, expYear: 2030, funding: "credit" },
    fraudCheck: { riskScore: 0, riskLevel: "low", reasons: [] },
    connector: "simpay",
    routing: "",
  };
}

const words = { processorReference: "sp_1", responseCode: "00", authCode: "A1B2C3", avs: "match", cvv: "match" };

export const sampleOutcomes = {
  approved: { kind: "approved", words, isFinal: true },
  accepted: { kind: "approved", words, isFinal: false },
  declined: { kind: "declined", words: { ...words, responseCode: "51", authCode: "" }, reason: "insufficient_funds" },
  notSent: { kind: "not_sent", cause: "connection_refused" },
  unknown: { kind: "unknown", cause: "timeout" },
} as const satisfies Record<string, Outcome>;
