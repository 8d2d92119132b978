/**
 * Faults on the Connect side: the catalogue's gRPC status as a Connect code, and a `Refusal` as detail, which clients branch on (the text of an
 * error is not a contract, and some gRPC clients show it escaped).
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { RefusalSchema } from "@florin/gen/payments/v1/payments";
import { type AppError, errorCatalogue, type GrpcStatus } from "@florin/kernel";
import { maskCardNumbers } from "@florin/runtime/telemetry";

const codes: Record<GrpcStatus, Code> = {
  INVALID_ARGUMENT: Code.InvalidArgument,
  UNAUTHENTICATED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,
  NOT_FOUND: Code.NotFound,
  ALREADY_EXISTS: Code.AlreadyExists,
  FAILED_PRECONDITION: Code.FailedPrecondition,
  ABORTED: Code.Aborted,
  RESOURCE_EXHAUSTED: Code.ResourceExhausted,
  UNAVAILABLE: Code.Unavailable,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  CANCELLED: Code.Canceled,
  INTERNAL: Code.Internal,
};

/** The cause stays inside. A fault of ours says nothing but that it is one. */
export function toConnectError(fault: AppError): ConnectError {
  const { grpc, help, http } = errorCatalogue[fault.code];
  // A field's name is repeated, and may be anything.
  const message = fault.code === "internal" ? help : maskCardNumbers(fault.message, "answer");
  const param = maskCardNumbers(fault.param ?? "", "answer");
  const headers: Record<string, string> = {};
  if (http === 503 || http === 429) headers["retry-after"] = String(Math.max(1, Math.ceil((fault.retryAfterMs ?? 1_000) / 1_000)));
  const detail = { desc: RefusalSchema, value: { code: fault.code, message, param } };
  return new ConnectError(message, codes[grpc], headers, [detail]);
}
