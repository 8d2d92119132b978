/** What crosses between the loop and a worker thread: plain values, because structured clone drops the class of an error. */
import { AppError, type ErrorCode, type Work } from "@florin/kernel";

export type WireFault = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly work: Work;
  readonly param?: string;
  readonly retryAfterMs?: number;
};

export type WireSettled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: WireFault };

export function toWireFault(error: AppError): WireFault {
  return {
    code: error.code,
    message: error.message,
    work: error.work,
    ...(error.param === undefined ? {} : { param: error.param }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
}

export function fromWireFault({ code, message, ...options }: WireFault): AppError {
  return new AppError(code, message, options);
}
