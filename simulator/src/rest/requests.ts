/** Shapes of the acquirer's requests (JSON Schema). Unknown fields are refused; amounts are integers. */

const reference = { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" } as const;
const amount = { type: "integer", minimum: 1, maximum: 999_999_999_999 } as const;
const currency = { type: "string", pattern: "^[A-Z]{3}$" } as const;
/** Without NUL, which the books cannot hold. */
const text = (minLength: number, maxLength: number) => ({ type: "string", minLength, maxLength, pattern: "^[^\\u0000]*$" }) as const;
const id = text(1, 64);

export const authorizationSchema = {
  type: "object",
  additionalProperties: false,
  required: ["merchant_id", "payment_id", "amount", "currency", "card"],
  properties: {
    merchant_id: id,
    payment_id: id,
    merchant_reference: text(0, 255),
    amount,
    currency,
    capture: { type: "boolean" },
    card: {
      type: "object",
      additionalProperties: false,
      required: ["number", "exp_month", "exp_year"],
      properties: {
        number: { type: "string", pattern: "^[0-9]{12,19}$" },
        exp_month: { type: "integer", minimum: 1, maximum: 12 },
        exp_year: { type: "integer", minimum: 2000, maximum: 2099 },
        cvc: { type: "string", pattern: "^[0-9]{3,4}$" },
        postal_code: { type: "string", maxLength: 32 },
        address_line1: { type: "string", maxLength: 255 },
      },
    },
  },
} as const;

export type AuthorizationBody = {
  merchant_id: string;
  payment_id: string;
  merchant_reference?: string;
  amount: number;
  currency: string;
  capture?: boolean;
  card: { number: string; exp_month: number; exp_year: number; cvc?: string; postal_code?: string; address_line1?: string };
};

export const movementSchema = {
  type: "object",
  additionalProperties: false,
  required: ["merchant_id", "amount", "currency"],
  properties: { merchant_id: id, amount, currency, reason: text(0, 255) },
} as const;

export const voidSchema = {
  type: "object",
  additionalProperties: false,
  required: ["merchant_id"],
  properties: { merchant_id: id },
} as const;

export const reversalSchema = {
  type: "object",
  additionalProperties: false,
  required: ["original_reference", "original_operation", "authorization_reference", "merchant_id", "payment_id", "amount", "currency"],
  properties: {
    original_reference: reference,
    original_operation: { type: "string", enum: ["authorization", "capture", "void", "refund"] },
    authorization_reference: reference,
    merchant_id: id,
    payment_id: id,
    amount,
    currency,
  },
} as const;

export type ReversalBody = {
  original_reference: string;
  original_operation: "authorization" | "capture" | "void" | "refund";
  authorization_reference: string;
  merchant_id: string;
  payment_id: string;
  amount: number;
  currency: string;
};

export type MovementBody = { merchant_id: string; amount?: number; currency?: string };

/** An authorization by the acquirer's id or by the caller's reference. */
export const authorizationParams = { type: "object", required: ["id"], properties: { id: reference } } as const;
export const referenceParams = { type: "object", required: ["reference"], properties: { reference } } as const;

const idempotencyKey = /^[A-Za-z0-9_-]{1,64}$/;

/** The key, or undefined when it is missing or malformed. */
export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" && idempotencyKey.test(header) ? header : undefined;
}
