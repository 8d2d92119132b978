/** Payments of all kinds for tests and benches: what the switch would answer. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CaptureMode, Mode, type Payment, PaymentSchema, PaymentStatus } from "@florin/gen/payments/v1/payments";

const createdAtMs = 1_795_239_476_695n;
const dayMs = 86_400_000n;

type PaymentChanges = Exclude<MessageInitShape<typeof PaymentSchema>, Payment>;

/** A payment as R26 shows it, with `changes`. */
export function authorizedPayment(changes: PaymentChanges = {}): Payment {
  return create(PaymentSchema, {
    id: "pay_01hf7yat00000g40r40m30e27z",
    merchantId: "mer_01hf7yat00000g40r40m30e27z",
    mode: Mode.TEST,
    status: PaymentStatus.AUTHORIZED,
    currency: "EUR",
    amount: 10_000n,
    amountAuthorized: 10_000n,
    amountRemaining: 10_000n,
    captureMode: CaptureMode.MANUAL,
    merchantReference: "order-1001",
    card: { brand: "visa", bin: "424242", last4: "4242", expMonth: 12, expYear: 2035, funding: "credit" },
    paymentMethodToken: "tok_visa_4242",
    fraudCheck: { riskScore: 12, riskLevel: "low", reasons: [] },
    processorResponse: { connector: "simpay", code: "00", authCode: "A1B2C3", avs: "match", cvv: "match", processorReference: "sim_1" },
    authorizationExpiresAtMs: createdAtMs + 7n * dayMs,
    createdAtMs,
    updatedAtMs: createdAtMs + 321n,
    version: 2,
    attempts: 1,
    authorizationId: "att_01hf7yat00000g40r40m30e27z",
    ...changes,
  });
}

const refund = {
  id: "ref_01hf7yat00000g40r40m30e27z",
  amount: 2_500n,
  status: "processing",
  reason: 'item "returned"',
  estimatedArrivalMs: createdAtMs + 7n * dayMs,
  createdAtMs: createdAtMs + 5_000n,
  updatedAtMs: createdAtMs + 5_010n,
} as const;
const capture = {
  id: "cap_01hf7yat00000g40r40m30e27z",
  amount: 4_000n,
  status: "succeeded",
  createdAtMs: createdAtMs + 2_000n,
  updatedAtMs: createdAtMs + 2_040n,
} as const;

/** One payment per golden file, by its name. */
export const paymentSamples: Readonly<Record<string, Payment>> = {
  authorized: authorizedPayment(),
  created: authorizedPayment({
    status: PaymentStatus.CREATED,
    amountAuthorized: 0n,
    amountRemaining: 0n,
    merchantReference: "",
    description: "Grüße, 100 % \u2028 </script>",
    metadata: { "10": "ten", "9": "nine", cart: 'a "b" \\ c', "": "odd" },
    card: undefined,
    paymentMethodToken: "",
    fraudCheck: undefined,
    processorResponse: undefined,
    authorizationExpiresAtMs: 0n,
  }),
  declined: authorizedPayment({
    status: PaymentStatus.DECLINED,
    amountAuthorized: 0n,
    amountRemaining: 0n,
    authorizationExpiresAtMs: 0n,
    processorResponse: { connector: "simpay", code: "51" },
    decline: { reason: "insufficient_funds", declineCode: "retry_allowed", message: "The card has insufficient funds." },
  }),
  expired: authorizedPayment({ status: PaymentStatus.EXPIRED, amountRemaining: 0n, authorizationExpiresAtMs: 0n, amountReleased: 10_000n }),
  "partially-captured": authorizedPayment({
    status: PaymentStatus.PARTIALLY_CAPTURED,
    amountCaptured: 4_000n,
    amountRemaining: 6_000n,
    captures: [capture, { ...capture, id: "cap_01hf7yat00000g40r40m30e280", status: "unknown" }],
    resolvesByMs: createdAtMs + dayMs,
  }),
  "partially-refunded": authorizedPayment({
    status: PaymentStatus.PARTIALLY_REFUNDED,
    amountCaptured: 4_000n,
    amountRefunded: 2_500n,
    amountRemaining: 6_000n,
    captures: [capture],
    refunds: [
      refund,
      { ...refund, id: "ref_01hf7yat00000g40r40m30e280", status: "failed", failureReason: "account_closed", estimatedArrivalMs: 0n },
    ],
  }),
  ambiguous: authorizedPayment({
    status: PaymentStatus.AMBIGUOUS,
    mode: Mode.LIVE,
    captureMode: CaptureMode.AUTOMATIC,
    amountAuthorized: 0n,
    amountRemaining: 0n,
    amount: 999_999_999_999n,
    authorizationExpiresAtMs: 0n,
    processorResponse: undefined,
    idempotencyDegraded: true,
    resolvesByMs: createdAtMs + dayMs,
  }),
};
