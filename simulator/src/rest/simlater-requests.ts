/** Shapes of simlater's requests (JSON Schema). Unknown fields are refused. */

const reference = { type: "string", pattern: "^[A-Za-z0-9_-]{1,60}$" } as const;
/** Without NUL, which the books cannot hold. */
const text = (minLength: number, maxLength: number) => ({ type: "string", minLength, maxLength, pattern: "^[^\\u0000]*$" }) as const;
const total = {
  type: "object",
  additionalProperties: false,
  required: ["value", "ccy"],
  properties: { value: { type: "string", maxLength: 16 }, ccy: { type: "string", pattern: "^[A-Z]{3}$" } },
} as const;

export const orderSchema = {
  type: "object",
  additionalProperties: false,
  required: ["orderRef", "shop", "purchase", "total", "settle", "instrument"],
  properties: {
    orderRef: reference,
    shop: text(1, 64),
    purchase: text(1, 64),
    note: text(0, 255),
    total,
    settle: { type: "boolean" },
    instrument: {
      type: "object",
      additionalProperties: false,
      required: ["pan", "until"],
      properties: {
        pan: { type: "string", pattern: "^[0-9]{12,19}$" },
        /** MM/YY. */
        until: { type: "string", pattern: "^(0[1-9]|1[0-2])/[0-9]{2}$" },
        code: { type: "string", pattern: "^[0-9]{3,4}$" },
        zip: { type: "string", maxLength: 32 },
        street: { type: "string", maxLength: 255 },
      },
    },
  },
} as const;

export type OrderBody = {
  orderRef: string;
  shop: string;
  purchase: string;
  note?: string;
  total: { value: string; ccy: string };
  settle: boolean;
  instrument: { pan: string; until: string; code?: string; zip?: string; street?: string };
};

export const stepSchema = {
  type: "object",
  additionalProperties: false,
  required: ["orderRef", "shop", "step"],
  properties: { orderRef: reference, shop: text(1, 64), step: { enum: ["CLEAR", "RELEASE", "RETURN"] }, total, note: text(0, 255) },
} as const;

export type StepBody = { orderRef: string; shop: string; step: "CLEAR" | "RELEASE" | "RETURN"; total?: { value: string; ccy: string } };

export const cancellationSchema = {
  type: "object",
  additionalProperties: false,
  required: ["orderRef", "step", "of", "shop", "purchase", "total"],
  properties: {
    orderRef: reference,
    step: { enum: ["ORDER", "CLEAR", "RELEASE", "RETURN"] },
    of: reference,
    shop: text(1, 64),
    purchase: text(1, 64),
    total,
  },
} as const;

export type CancellationBody = {
  orderRef: string;
  step: "ORDER" | "CLEAR" | "RELEASE" | "RETURN";
  /** The caller's reference of the order that it belongs to. */
  of: string;
  shop: string;
  purchase: string;
  total: { value: string; ccy: string };
};

/** A ticket, or one of the caller's references. */
export const orderParams = { type: "object", required: ["id"], properties: { id: reference } } as const;
export const orderQuery = {
  type: "object",
  additionalProperties: false,
  required: ["ref"],
  properties: { ref: reference },
} as const;
