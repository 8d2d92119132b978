/**
 * The shapes of the REST API, once: they validate requests and make the OpenAPI document.
 *
 * Requests are closed: a field that is not listed is refused. Answers are described as the views write them; a test holds the views to it.
 */
import { declineReasons, errorCodes } from "@florin/kernel";
import { type Static, type TProperties, type TSchema, Type } from "typebox";
import { limits } from "../domain/limits.ts";
import { statusWords } from "./payment-view.ts";

const closed = { additionalProperties: false } as const;
/** No control characters: they forge log lines, and PostgreSQL cannot keep a NUL. */
const clean = "^[^\\u0000-\\u001f\\u007f]*$";

const strings = (values: readonly string[], description: string): TSchema =>
  Type.Unsafe<string>({ type: "string", enum: [...values], description });

const example = <T>(value: T): { readonly examples: readonly T[] } => ({ examples: [value] });

// Requests.

const amount = (description: string) =>
  Type.Integer({ minimum: limits.amountMinorMin, maximum: limits.amountMinorMax, description, ...example(10_000) });

const paymentMethodRequest = Type.Object(
  {
    type: Type.Literal("card"),
    token: Type.String({
      pattern: "^tok_[0-9a-z_]{1,64}$",
      description:
        "A token of the vault. In test mode also tok_<brand>_<last four> of a test card, such as tok_visa_4242; simulator/README.md lists the cards and what each answers.",
      ...example("tok_visa_4242"),
    }),
  },
  { ...closed, title: "PaymentMethodRequest" },
);

const captureMode = Type.Unsafe<"manual" | "automatic">({
  type: "string",
  enum: ["manual", "automatic"],
  default: "manual",
  description: "manual: you capture later, in parts if you like. automatic: the authorization captures the whole amount.",
});

const customerIp = Type.String({
  minLength: 2,
  maxLength: limits.customerIpLengthMax,
  pattern: "^[0-9a-fA-F.:]+$",
  description: "The payer's IP address, for the fraud checks.",
  ...example("203.0.113.7"),
});

const newPayment = {
  amount: amount("Minor units of the currency (EUR 2 decimals, JPY 0, BHD 3), written as a plain integer."),
  currency: Type.String({ pattern: "^[A-Z]{3}$", description: "ISO 4217, capital letters.", ...example("EUR") }),
  capture_mode: Type.Optional(captureMode),
  merchant_reference: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: limits.merchantReferenceLengthMax,
      pattern: clean,
      description: "Your order id.",
      ...example("order-1001"),
    }),
  ),
  unique_reference: Type.Optional(
    Type.Boolean({ default: false, description: "true: refuse the payment when merchant_reference was used before." }),
  ),
  description: Type.Optional(Type.String({ maxLength: limits.descriptionLengthMax, pattern: clean, description: "Free text." })),
  metadata: Type.Optional(
    Type.Unsafe<Record<string, string>>({
      type: "object",
      maxProperties: limits.metadataPairsMax,
      propertyNames: { type: "string", minLength: 1, maxLength: limits.metadataKeyLengthMax, pattern: clean },
      additionalProperties: { type: "string", maxLength: limits.metadataValueLengthMax, pattern: clean },
      description: "Your own pairs. A card number here, as in any text, is refused: `card_number_not_allowed`.",
      ...example({ cart: "7" }),
    }),
  ),
  customer_ip: Type.Optional(customerIp),
};

export const createPaymentRequest = Type.Object(
  {
    ...newPayment,
    payment_method: Type.Optional(paymentMethodRequest),
    confirm: Type.Optional(
      Type.Boolean({ default: false, description: "true: authorize in the same call; payment_method is then required." }),
    ),
  },
  { ...closed, title: "CreatePaymentRequest" },
);

export const authorizeNewRequest = Type.Object(
  { ...newPayment, payment_method: paymentMethodRequest },
  { ...closed, title: "AuthorizeNewPaymentRequest" },
);

export const authorizeRequest = Type.Object(
  { payment_method: paymentMethodRequest, customer_ip: Type.Optional(customerIp) },
  { ...closed, title: "AuthorizePaymentRequest" },
);

export const captureRequest = Type.Object(
  { amount: Type.Optional(amount("How much to capture, minor units. Absent: all that remains.")) },
  { ...closed, title: "CapturePaymentRequest" },
);

export const voidRequest = Type.Object({}, { ...closed, title: "VoidPaymentRequest" });

export const refundRequest = Type.Object(
  {
    amount: Type.Optional(amount("How much to give back, minor units. Absent: all that is left.")),
    reason: Type.String({
      minLength: 1,
      maxLength: limits.reasonLengthMax,
      pattern: "^[^\\u0000-\\u001f\\u007f]*[^\\s\\u0000-\\u001f\\u007f][^\\u0000-\\u001f\\u007f]*$",
      description: "Why. Your evidence in a dispute.",
      ...example("requested_by_customer"),
    }),
  },
  { ...closed, title: "RefundPaymentRequest" },
);

// Queries. Values are text, as they stand in the URL.

const digits = (min: number, max: number, description: string, fallback: number) =>
  Type.Unsafe<string>({
    type: "string",
    pattern: "^(0|[1-9][0-9]{0,9})$",
    description,
    "x-openapi-schema": { type: "integer", minimum: min, maximum: max, default: fallback },
  });
const time = (description: string) => Type.String({ format: "date-time", maxLength: 40, description, ...example("2026-11-21T00:00:00Z") });

export const listPaymentsQuery = Type.Object(
  {
    status: Type.Optional(strings(Object.values(statusWords), "Only payments of this status.")),
    merchant_reference: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: limits.merchantReferenceLengthMax,
        pattern: clean,
        description: "Only payments with this merchant reference.",
      }),
    ),
    idempotency_degraded: Type.Optional(
      strings(
        ["true"],
        "true: only payments with an operation that ran while the idempotency cache was away or had forgotten. Review these after an outage.",
      ),
    ),
    created_from: Type.Optional(time("Only payments created at or after this time (RFC 3339).")),
    created_to: Type.Optional(time("Only payments created before this time (RFC 3339).")),
    limit: Type.Optional(digits(1, limits.pageSizeMax, "Payments per page.", limits.pageSizeDefault)),
    cursor: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: limits.cursorLengthMax,
        pattern: "^[\\x21-\\x7e]+$",
        description: "next_cursor of the page before, with the same filters.",
      }),
    ),
  },
  closed,
);

export const listEventsQuery = Type.Object(
  {
    limit: Type.Optional(digits(1, limits.pageSizeMax, "Events per page.", limits.timelinePageSizeDefault)),
    after_sequence: Type.Optional(digits(0, 4_294_967_295, "Only events after this sequence number.", 0)),
  },
  closed,
);

export type CreatePaymentBody = Static<typeof createPaymentRequest>;
export type AuthorizeNewBody = Static<typeof authorizeNewRequest>;
export type AuthorizeBody = Static<typeof authorizeRequest>;
export type CaptureBody = Static<typeof captureRequest>;
export type RefundBody = Static<typeof refundRequest>;
export type ListPaymentsQuery = Static<typeof listPaymentsQuery>;
export type ListEventsQuery = Static<typeof listEventsQuery>;

// Answers. Every field is always there; null says that there is nothing to tell.

const answer = <P extends TProperties>(title: string, properties: P) => Type.Object(properties, { ...closed, title });
const nullable = (schema: TSchema, description?: string): TSchema =>
  Type.Unsafe<unknown>({ anyOf: [schema, { type: "null" }], ...(description === undefined ? {} : { description }) });
const minor = (description: string) => Type.Integer({ minimum: 0, description });
const at = (description: string) => Type.String({ format: "date-time", description });
const word = (description: string) => Type.String({ description });
const id = (prefix: string) => Type.String({ pattern: `^${prefix}_[0-7][0-9a-hjkmnp-tv-z]{25}$` });

const cardAnswer = answer("Card", {
  brand: word("visa, mastercard, amex, discover, diners, jcb, unionpay, maestro or unknown."),
  bin: nullable(Type.String(), "First six or eight digits."),
  last4: Type.String(),
  exp_month: Type.Integer({ minimum: 1, maximum: 12 }),
  exp_year: Type.Integer(),
  funding: word("credit, debit, prepaid or unknown."),
});

export const paymentAnswer = answer("Payment", {
  id: id("pay"),
  status: strings(Object.values(statusWords), "Where the payment stands; see the payment lifecycle."),
  currency: Type.String({ pattern: "^[A-Z]{3}$" }),
  amount: minor("What you asked for, minor units."),
  amount_authorized: minor("What the issuer holds or held."),
  amount_captured: minor("What was captured."),
  amount_refunded: minor("What was refunded."),
  amount_remaining: minor("What can still be captured."),
  capture_mode: strings(["manual", "automatic"], "When money is taken."),
  merchant_reference: nullable(Type.String()),
  description: nullable(Type.String()),
  metadata: Type.Unsafe<Record<string, string>>({ type: "object", additionalProperties: { type: "string" } }),
  payment_method: nullable(
    answer("PaymentMethod", {
      type: Type.Literal("card"),
      token: nullable(Type.String()),
      card: nullable(cardAnswer),
    }),
    "null before the first attempt.",
  ),
  authorization_expires_at: nullable(at("When the hold ends."), "null while nothing is held."),
  fraud_check: nullable(
    answer("FraudCheck", {
      risk_score: Type.Integer({ minimum: 0, maximum: 100 }),
      risk_level: word("low, elevated, high or blocked."),
    }),
  ),
  processor_response: nullable(
    answer("ProcessorResponse", {
      code: word("The processor's own code."),
      auth_code: nullable(word("Approval code.")),
      avs: nullable(word("Address check: match, mismatch, partial or unavailable.")),
      cvv: nullable(word("Security code check: match, mismatch or unavailable.")),
      connector: word("Who was asked."),
    }),
  ),
  decline: nullable(
    answer("Decline", {
      reason: word(`One of ${Object.keys(declineReasons).join(", ")}.`),
      decline_code: strings(["do_not_retry", "retry_allowed"], "Whether another try may help."),
      message: word("A sentence for you."),
    }),
    "null unless the last attempt was declined.",
  ),
  captures: Type.Array(
    answer("Capture", {
      id: id("cap"),
      status: word("pending, succeeded, failed or unknown."),
      amount: minor("Minor units."),
      created_at: at("When it was asked for."),
      updated_at: at("When its status last changed."),
    }),
  ),
  refunds: Type.Array(
    answer("Refund", {
      id: id("ref"),
      status: word("pending, processing, succeeded, failed or unknown."),
      amount: minor("Minor units."),
      reason: word("Your reason."),
      estimated_arrival: nullable(at("When the payer may expect the money.")),
      failure_reason: nullable(word("Why it failed.")),
      created_at: at("When it was asked for."),
      updated_at: at("When its status last changed."),
    }),
  ),
  created_at: at("When the payment was made."),
  updated_at: at("When it last changed."),
  livemode: Type.Boolean({ description: "false for a payment made with a test key." }),
  idempotency_degraded: Type.Boolean({
    description: "true when an operation ran while the idempotency cache was away or had forgotten; the database alone decided.",
  }),
  resolves_by: nullable(at("By when an unknown outcome is decided."), "null when nothing is unknown."),
});

export const inFlightAnswer = answer("InFlight", {
  id: Type.Null({ description: "No payment is known yet." }),
  status: Type.Literal("processing"),
});

export const paymentPageAnswer = answer("PaymentPage", {
  data: Type.Array(Type.Unsafe<unknown>({ $ref: "#/components/schemas/Payment" })),
  has_more: Type.Boolean(),
  next_cursor: nullable(Type.String()),
});

export const tokenAnswer = answer("Token", {
  id: Type.String({ pattern: "^tok_[0-9a-z_]{1,64}$" }),
  type: Type.Literal("card"),
  card: cardAnswer,
  fingerprint: Type.String({
    pattern: "^[0-9a-f]{32}$",
    description: "The same for two tokens of one card of yours. Another merchant's token of this card has another one.",
  }),
  usage: strings(["single_use", "reusable"], "single_use: for the first payment that it authorizes, and no other."),
  used_by: nullable(id("pay"), "The payment that a single-use token belongs to; null while there is none, and for reusable ones."),
  created_at: nullable(at("When it was made."), "null for well-known test tokens."),
  expires_at: at("When it expires. A used single-use token is kept as long as its card, for what else its payment may need."),
  livemode: Type.Boolean({ description: "false for a test token." }),
});

export const deletedTokenAnswer = answer("DeletedToken", {
  id: Type.String({ pattern: "^tok_[0-9a-z_]{1,64}$" }),
  deleted: Type.Literal(true),
});

const amountsAnswer = answer("Amounts", {
  amount_authorized: minor("Held or once held."),
  amount_captured: minor("Taken."),
  amount_refunded: minor("Given back."),
});

export const timelineAnswer = answer("Timeline", {
  data: Type.Array(
    answer("TimelineEntry", {
      sequence: Type.Integer({ minimum: 1, description: "From 1, without gaps." }),
      type: word("Event in lower_snake_case, for example payment_authorized."),
      occurred_at: at("When."),
      actor: word("Who: key:…, service:… or worker:…."),
      request_id: nullable(word("The request that caused it.")),
      status_before: nullable(word("Status before; null for the first event.")),
      status_after: nullable(word("Status after.")),
      amount: nullable(minor("The amount this event is about.")),
      operation_id: nullable(word("cap_…, ref_… or att_….")),
      before: nullable(amountsAnswer),
      after: nullable(amountsAnswer),
      details: Type.Unsafe<Record<string, string>>({ type: "object", additionalProperties: { type: "string" } }),
    }),
  ),
  has_more: Type.Boolean(),
});

export const routingAnswer = answer("Routing", {
  data: Type.Array(
    answer("RoutingDecision", {
      sequence: Type.Integer({ minimum: 1, description: "Of the event that it was stored with." }),
      decided_at: at("When."),
      strategy: word("What orders processors that the rules leave open: listed, cost, rate or value."),
      rules_version: nullable(Type.Integer({ minimum: 1, description: "Version of your rules; null without any." })),
      rule: nullable(word("Which leaf of your rules spoke, for example rules.use.split[1].to.")),
      exploration: Type.Boolean({ description: "The first candidate was drawn to learn about it." }),
      candidates: Type.Array(
        answer("RoutingCandidate", {
          processor: word("Name of the processor."),
          rank: nullable(Type.Integer({ minimum: 1, description: "In the order of choice; null: excluded." })),
          reasons: Type.Array(word("What gave it its place or excluded it, for example by_fee or currency_not_supported.")),
          fee: nullable(minor("What an approval would cost; null when nobody has told its price.")),
          approval_rate_bps: nullable(
            Type.Integer({ minimum: 0, maximum: 10_000, description: "Expected share of approvals, basis points." }),
          ),
        }),
      ),
      attempts: Type.Array(
        answer("RoutingAttempt", {
          id: id("att"),
          processor: word("Name of the processor."),
          outcome: word("pending, approved, declined, not_sent or reversed."),
          reason: nullable(word("Decline reason, or why it was not sent.")),
          stopped: nullable(
            word(
              "Why no other processor was asked after it, where another might have approved, for example network_declines_per_day or attempts_used.",
            ),
          ),
          passed_over: Type.Array(word("Ranked processor that was passed over after it, because it was down by then.")),
        }),
      ),
    }),
  ),
});

export const errorAnswer = answer("Error", {
  error: Type.Object(
    {
      type: word("Coarse class of the error."),
      code: strings(errorCodes, "Branch on this one; a code is for ever."),
      decline_code: Type.Optional(strings(["do_not_retry", "retry_allowed"], "Present with a decline.")),
      message: word("For your developers."),
      param: Type.Optional(word("Path of the field at fault.")),
      request_id: id("req"),
      payment: Type.Optional(Type.Unsafe<unknown>({ $ref: "#/components/schemas/Payment" })),
    },
    closed,
  ),
});
