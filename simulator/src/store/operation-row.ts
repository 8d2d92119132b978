/** A row of `operations` in the words of the domain. */
import type { Operation, OperationKind, OperationStatus } from "../domain/operation.ts";

export type OperationRow = {
  operation_id: bigint;
  reference: string;
  operation: OperationKind;
  authorization_id: bigint | null;
  merchant_id: string;
  payment_id: string;
  merchant_reference: string | null;
  amount: bigint;
  currency: string;
  status: OperationStatus;
  response_code: string;
  auth_code: string;
  avs: string;
  cvv: string;
  card_last4: string;
  card_name: string;
  is_captured: boolean;
  authorized: bigint;
  captured: bigint;
  voided: bigint;
  refunded: bigint;
  settles_at: Date | null;
  request_count: number;
  created_at: Date;
};

/** Every column but those that only the database looks at. */
export const operationColumns = [
  "operation_id",
  "reference",
  "operation",
  "authorization_id",
  "merchant_id",
  "payment_id",
  "merchant_reference",
  "amount",
  "currency",
  "status",
  "response_code",
  "auth_code",
  "avs",
  "cvv",
  "card_last4",
  "card_name",
  "is_captured",
  "authorized",
  "captured",
  "voided",
  "refunded",
  "settles_at",
  "request_count",
  "created_at",
] as const;

export function toOperation(row: OperationRow): Operation {
  return {
    operationId: row.operation_id,
    reference: row.reference,
    operation: row.operation,
    authorizationId: row.authorization_id ?? undefined,
    merchantId: row.merchant_id,
    paymentId: row.payment_id,
    merchantReference: row.merchant_reference ?? undefined,
    amount: row.amount,
    currency: row.currency,
    status: row.status,
    responseCode: row.response_code,
    authCode: row.auth_code,
    avs: row.avs,
    cvv: row.cvv,
    cardLast4: row.card_last4,
    cardName: row.card_name,
    isCaptured: row.is_captured,
    authorized: row.authorized,
    captured: row.captured,
    voided: row.voided,
    refunded: row.refunded,
    settlesAt: row.settles_at ?? undefined,
    requestCount: row.request_count,
    createdAt: row.created_at,
  };
}
