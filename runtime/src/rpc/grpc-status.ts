/**
 * AppError ↔ gRPC status: the one place for unary and streaming calls.
 *
 * The status code is the catalogue's; the whole fault (code, work, param, retry_after) travels as an encoded florin.frames.v1.Fault in
 * the trailer `florin-fault-bin`, so that our clients restore the same AppError that a frame would give them. `florin-code` repeats the
 * code for people with grpcurl. A status without the trailer comes from the transport, and is read with care: only
 * "no connection established" is surely not done.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { FaultSchema } from "@florin/gen/frames/v1/frames";
import { AppError, errorCatalogue } from "@florin/kernel";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { fromFault, toFault } from "../frames/index.ts";

const faultKey = "florin-fault-bin";
const codeKey = "florin-code";

/** What grpc-js wants in a callback or an `error` event. */
export type StatusAnswer = { readonly code: status; readonly details: string; readonly metadata: Metadata };

export function toStatus(error: AppError): StatusAnswer {
  const metadata = new Metadata();
  metadata.set(codeKey, error.code);
  metadata.set(faultKey, Buffer.from(toBinary(FaultSchema, toFault(error))));
  return { code: status[errorCatalogue[error.code].grpc], details: error.message, metadata };
}

/** Any error of a grpc-js call as an AppError. */
export function fromStatus(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (!isServiceError(thrown)) return new AppError("internal", "a call failed in an unexpected way", { work: "unknown", cause: thrown });
  const [fault] = thrown.metadata?.get(faultKey) ?? [];
  if (fault instanceof Buffer) {
    try {
      return fromFault(fromBinary(FaultSchema, fault));
    } catch {
      // Not ours after all: judge by the status.
    }
  }
  return fromTransport(thrown);
}

function fromTransport(error: ServiceError): AppError {
  const unknown = { work: "unknown", cause: error } as const;
  const notDone = { work: "not_done", cause: error } as const;
  if (error.code === status.UNAVAILABLE) {
    const neverConnected = error.details.startsWith("No connection established") || error.details.startsWith("Name resolution failed");
    return neverConnected
      ? new AppError("unavailable", "the peer cannot be reached", notDone)
      : new AppError("peer_lost", "the connection to the peer was lost", unknown);
  }
  if (error.code === status.DEADLINE_EXCEEDED) return new AppError("deadline_exceeded", "no answer in time", unknown);
  if (error.code === status.CANCELLED) return new AppError("cancelled", "the call was cancelled", unknown);
  if (error.code === status.UNIMPLEMENTED) return new AppError("internal", "the peer does not offer this method", notDone);
  return new AppError("internal", "the call failed", unknown);
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "number" && "details" in thrown;
}
