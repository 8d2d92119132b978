/**
 * AppError ↔ florin.frames.v1.Fault: the one place where an operating fault crosses between our processes, framed or unary.
 *
 * The cause never leaves the process. An unknown code (a newer peer's) reads as `internal`, an unknown work as `unknown`.
 */
import { create } from "@bufbuild/protobuf";
import { type Fault, FaultSchema, Work as WireWork } from "@florin/gen/frames/v1/frames";
import { AppError, type AppErrorOptions, isErrorCode, type Work } from "@florin/kernel";

const wireWork: Record<Work, WireWork> = { not_done: WireWork.NOT_DONE, done: WireWork.DONE, unknown: WireWork.UNKNOWN };

export function toFault(error: AppError): Fault {
  return create(FaultSchema, {
    code: error.code,
    message: error.message,
    work: wireWork[error.work],
    param: error.param ?? "",
    retryAfterMs: Math.min(Math.max(Math.round(error.retryAfterMs ?? 0), 0), 0xffff_ffff),
  });
}

export function fromFault(fault: Fault): AppError {
  const options: AppErrorOptions = {
    work: workOf(fault.work),
    ...(fault.param === "" ? {} : { param: fault.param }),
    ...(fault.retryAfterMs === 0 ? {} : { retryAfterMs: fault.retryAfterMs }),
  };
  return new AppError(isErrorCode(fault.code) ? fault.code : "internal", fault.message, options);
}

function workOf(work: WireWork): Work {
  if (work === WireWork.NOT_DONE) return "not_done";
  return work === WireWork.DONE ? "done" : "unknown";
}
