/** Making a payment: an intent that nothing was tried on yet. */
import type { Origin } from "./event.ts";
import type { CaptureMode, Mode, Payment } from "./payment.ts";
import { begin, type Transition } from "./transition.ts";

export type CreatePayment = {
  readonly id: string;
  readonly merchantId: string;
  readonly mode: Mode;
  readonly amount: bigint;
  readonly currency: string;
  readonly captureMode: CaptureMode;
  readonly merchantReference: string;
  readonly uniqueReference: boolean;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
};

/** A payment before its first event. Not a row yet: `createPayment` or the first authorization makes it one. */
export function draft(command: CreatePayment, nowMs: number): Payment {
  return {
    ...command,
    status: "created",
    hold: "none",
    authorized: 0n,
    captured: 0n,
    capturePending: 0n,
    refunded: 0n,
    refundPending: 0n,
    released: 0n,
    token: "",
    card: undefined,
    fraudCheck: undefined,
    processorResponse: undefined,
    decline: undefined,
    authorizationId: "",
    authorizationExpiresAtMs: 0,
    attempts: 0,
    captures: [],
    refunds: [],
    openOperations: [],
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    resolvesByMs: 0,
    idempotencyDegraded: false,
    version: 0,
  };
}

export function createPayment(command: CreatePayment, context: { readonly nowMs: number; readonly origin: Origin }): Transition {
  const payment: Payment = { ...draft(command, context.nowMs), version: 1 };
  return begin(payment, { type: "payment_created", nowMs: context.nowMs, origin: context.origin, amount: command.amount });
}
