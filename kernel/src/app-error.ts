/**
 * The one class of operating faults.
 *
 * Business answers are returned as tagged values, bugs are asserts; what is left (time-outs, lost connections, a busy database,
 * bad input at a boundary) is thrown as `AppError`. `work` says whether the work was done: only `not_done` may be retried blindly.
 */
import { type ErrorCode, errorCatalogue } from "./error-code.ts";

/** What is known about the work of a failed operation. A time-out is `unknown`, never `not_done`. */
export type Work = "not_done" | "done" | "unknown";

export type AppErrorOptions = {
  readonly work: Work;
  /** Path of the field at fault: `payment_method.token`. */
  readonly param?: string;
  /** Advice for the caller, milliseconds. */
  readonly retryAfterMs?: number;
  /** The original fault. Stays inside the process: it is logged, never sent to a caller. */
  readonly cause?: unknown;
};

export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly work: Work;
  readonly param: string | undefined;
  readonly retryAfterMs: number | undefined;

  /** `message` is for the caller's developer: no secrets, no card data, no inner details. */
  constructor(code: ErrorCode, message: string, options: AppErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.work = options.work;
    this.param = options.param;
    this.retryAfterMs = options.retryAfterMs;
  }

  get catalogue() {
    return errorCatalogue[this.code];
  }
}

/** Bad input found at a boundary: nothing was done. */
export function invalid(code: ErrorCode, message: string, param?: string): AppError {
  return new AppError(code, message, param === undefined ? { work: "not_done" } : { work: "not_done", param });
}

/**
 * Somebody of a crowd is sent away: nothing was done. That is no fault to look for, so it has no stack, which is a twelfth of what a no costs.
 * `retryAfterMs`: when to come again, milliseconds.
 */
export function sentAway(code: "overloaded" | "rate_limited", message: string, retryAfterMs: number): AppError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return new AppError(code, message, { work: "not_done", retryAfterMs });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Any thrown value as an AppError. What we did not foresee is `internal`, and nobody can say whether the work was done. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError("internal", "an unexpected fault", { work: "unknown", cause: thrown });
}
