/** A payment as it stands after its newest event. Values only; how it changes is in the files beside this one. */
import type { DeclineReason } from "@florin/kernel";
import type { Hold, Status } from "./status.ts";

/** Bounds of one payment, so that its newest row stays small. */
export const capturesMax = 100;
export const refundsMax = 100;
/** An authorization is accepted only this long after the payment was made; the expiry sweep relies on it. */
export const intentLifetimeMs = 24 * 60 * 60 * 1000;

export type Mode = "test" | "live";
export type CaptureMode = "manual" | "automatic";
export type OperationKind = "authorize" | "capture" | "void" | "refund" | "reversal";
export type CaptureStatus = "pending" | "succeeded" | "failed" | "unknown";
export type RefundStatus = "pending" | "processing" | "succeeded" | "failed" | "unknown";
export type RiskLevel = "low" | "elevated" | "high" | "blocked";

export type CardSummary = {
  readonly brand: string;
  readonly bin: string;
  readonly last4: string;
  readonly expMonth: number;
  readonly expYear: number;
  readonly funding: string;
};

export type FraudCheck = { readonly riskScore: number; readonly riskLevel: RiskLevel; readonly reasons: readonly string[] };

/** The processor's own words, carried through. Empty strings where it said nothing. */
export type ProcessorResponse = {
  readonly connector: string;
  readonly code: string;
  readonly authCode: string;
  readonly avs: string;
  readonly cvv: string;
  readonly processorReference: string;
};

export type Decline = { readonly reason: DeclineReason; readonly declineCode: "do_not_retry" | "retry_allowed"; readonly message: string };

export type Capture = {
  readonly id: string;
  readonly amount: bigint;
  readonly status: CaptureStatus;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

export type Refund = {
  readonly id: string;
  readonly amount: bigint;
  readonly status: RefundStatus;
  readonly reason: string;
  readonly estimatedArrivalMs: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly failureReason: string;
};

/** An intent without a final outcome. */
export type OpenOperation = {
  readonly id: string;
  readonly kind: OperationKind;
  readonly amount: bigint;
  readonly connector: string;
  readonly intentSequence: number;
  readonly startedAtMs: number;
  /** The connector answered "unknown". */
  readonly isUnknown: boolean;
  /** The processor accepted and has not finished (refunds). */
  readonly isAccepted: boolean;
  /** The processor is told to undo it, from this row on: whoever sent it may still hear a yes, which is not believed. Unknown as well. */
  readonly isBeingUndone: boolean;
};

export type Payment = {
  readonly id: string;
  readonly merchantId: string;
  readonly mode: Mode;
  readonly status: Status;
  readonly hold: Hold;
  readonly currency: string;
  /** What the merchant asked for; this and all amounts below in minor units of `currency`. */
  readonly amount: bigint;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly capturePending: bigint;
  readonly refunded: bigint;
  readonly refundPending: bigint;
  readonly released: bigint;
  readonly captureMode: CaptureMode;
  readonly merchantReference: string;
  readonly uniqueReference: boolean;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly token: string;
  readonly card: CardSummary | undefined;
  readonly fraudCheck: FraudCheck | undefined;
  readonly processorResponse: ProcessorResponse | undefined;
  readonly decline: Decline | undefined;
  /** Reference of the attempt that holds the money, or of the last one. */
  readonly authorizationId: string;
  readonly authorizationExpiresAtMs: number;
  readonly attempts: number;
  readonly captures: readonly Capture[];
  readonly refunds: readonly Refund[];
  readonly openOperations: readonly OpenOperation[];
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** By when an unknown outcome will be decided; 0 when nothing is unknown. */
  readonly resolvesByMs: number;
  readonly idempotencyDegraded: boolean;
  /** Sequence of the newest event, from 1. */
  readonly version: number;
};

/** What can still be captured. */
export function remaining(payment: Payment): bigint {
  return payment.authorized - payment.captured - payment.capturePending - payment.released;
}

/** What can still be refunded. */
export function refundable(payment: Payment): bigint {
  return payment.captured - payment.refunded - payment.refundPending;
}
