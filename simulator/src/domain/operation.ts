/** One operation as the books know it, and what the caller is told about it. */
import { declineCodeOf } from "./response-code.ts";

export const operationKinds = ["authorization", "capture", "void", "refund", "reversal"] as const;
export type OperationKind = (typeof operationKinds)[number];
export type OperationStatus = "approved" | "declined" | "pending" | "succeeded" | "failed" | "reversed";

export type Operation = {
  readonly operationId: bigint;
  readonly reference: string;
  readonly operation: OperationKind;
  /** Undefined for an authorization. */
  readonly authorizationId: bigint | undefined;
  readonly merchantId: string;
  readonly paymentId: string;
  readonly merchantReference: string | undefined;
  /** Minor units. */
  readonly amount: bigint;
  readonly currency: string;
  readonly status: OperationStatus;
  readonly responseCode: string;
  readonly authCode: string;
  readonly avs: string;
  readonly cvv: string;
  readonly cardLast4: string;
  readonly cardName: string;
  readonly isCaptured: boolean;
  /** Running totals, of an authorization only. */
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly voided: bigint;
  readonly refunded: bigint;
  /** When a pending refund ends. */
  readonly settlesAt: Date | undefined;
  readonly requestCount: number;
  readonly createdAt: Date;
};

/** What a caller is told; part of the acquirer's API. */
export type OperationView = {
  readonly id: string;
  readonly reference: string;
  readonly operation: OperationKind;
  readonly status: OperationStatus;
  readonly response_code: string;
  readonly decline_code: string;
  readonly auth_code: string;
  readonly avs: string;
  readonly cvv: string;
  readonly amount: number;
  readonly currency: string;
};

type Answered = Pick<
  Operation,
  "operationId" | "reference" | "operation" | "status" | "responseCode" | "authCode" | "avs" | "cvv" | "amount" | "currency"
>;

export function viewOf(operation: Answered): OperationView {
  return {
    id: processorId(operation.operationId),
    reference: operation.reference,
    operation: operation.operation,
    status: operation.status,
    response_code: operation.responseCode,
    decline_code: declineCodeOf(operation.responseCode),
    auth_code: operation.authCode,
    avs: operation.avs,
    cvv: operation.cvv,
    amount: Number(operation.amount),
    currency: operation.currency,
  };
}

/** "sp_000000000042": the acquirer's own name of an operation. */
export function processorId(operationId: bigint): string {
  return `sp_${String(operationId).padStart(12, "0")}`;
}

/** Undefined for text that is no processor id: then it is one of the caller's own references. */
export function parseProcessorId(text: string): bigint | undefined {
  return /^sp_\d{12,18}$/.test(text) ? BigInt(text.slice(3)) : undefined;
}

/** More repetitions than this of one order are refused. */
const repetitionsMax = 8;

/** Under which an acquirer that does not look at references books one order again and again: "att_…~2" and so on. No caller's has a tilde. */
export function repeatedReferences(reference: string): readonly string[] {
  return Array.from({ length: repetitionsMax }, (_, index) => `${reference}~${index + 2}`);
}
