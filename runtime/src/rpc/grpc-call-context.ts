/** The context of a unary or streaming gRPC call. */
import { AppError } from "@florin/kernel";
import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { type CallContext, timeoutMsMax } from "../frames/index.ts";

type SurfaceCall = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

export class GrpcCallContext implements CallContext {
  readonly #call: SurfaceCall;
  readonly peer: string;
  readonly deadlineAtMs: number;
  #controller: AbortController | undefined;

  constructor(call: SurfaceCall, peer: string, deadlineAtMs: number) {
    this.#call = call;
    this.peer = peer;
    this.deadlineAtMs = deadlineAtMs;
  }

  get traceparent(): string {
    const [value] = this.#call.metadata.get("traceparent");
    return typeof value === "string" ? value : "";
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      // grpc-js reports a passed deadline, a reset and a lost connection as `cancelled`.
      const onCancelled = () => controller.abort(new AppError("cancelled", "the caller gave up", { work: "unknown" }));
      if (this.#call.cancelled) onCancelled();
      else this.#call.once("cancelled", onCancelled);
    }
    return this.#controller.signal;
  }

  abort(reason: AppError): void {
    if (!this.signal.aborted) this.#controller?.abort(reason);
  }
}

/** Deadline of a unary call, ms since the epoch; callers that set none get the longest one. */
export function unaryDeadlineAtMs(call: ServerUnaryCall<Buffer, Buffer>, nowMs: number): number {
  return Math.min(streamingDeadlineAtMs(call), nowMs + timeoutMsMax);
}

/** Deadline of any call, ms since the epoch, Infinity when the caller set none. */
export function streamingDeadlineAtMs(call: SurfaceCall): number {
  const deadline = call.getDeadline();
  return deadline instanceof Date ? deadline.getTime() : deadline;
}
