/**
 * The server's side of one frame stream: admission, dispatch, answers, cancellation, draining.
 *
 * Invariants
 * - at most `commandsInFlightMax` commands run or have an unwritten answer; one more is answered `overloaded`, not_done: the bound is
 *   an answer, not a queue. When answers cannot be written (outlet.ts) the stream is not read either, so a peer that
 *   sends and never reads cannot fill our memory;
 * - a command whose deadline has passed is not started; one that is started is answered exactly once, unless it was cancelled;
 * - answers leave at the end of the event-loop turn, in any order.
 * - an answer with secrets is wiped when it has left, or when nobody wants it any more;
 * - a peer that breaks the protocol (malformed frame, id 0, id in use, too many commands or methods) loses its stream.
 */
import { AppError } from "@florin/kernel";
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { type BodyEncoder, encodeEach } from "./batch-encoder.ts";
import { bytesOf, type RequestFrame, type ResponseFrame, ResponseFrameWriter, readRequestFrame } from "./codec.ts";
import type { CallContext } from "./context.ts";
import { DeadlineSweep } from "./deadline-sweep.ts";
import { toFault } from "./fault.ts";
import { bodyBytesMax, commandsPerFrameMax, frameBytesSoftMax, goingAwayId, methodsPerFrameMax, timeoutMsMax } from "./limits.ts";
import { FrameOutlet } from "./outlet.ts";

/** A method as a stream runs it. */
export type FramedMethod = {
  /** Decodes the body and does the work. Rejects with an AppError or anything else. */
  readonly run: (body: Uint8Array, context: CallContext) => Promise<unknown>;
  /** Encodes what `run` answered, with the other answers of the turn. */
  readonly encoder: BodyEncoder<unknown>;
};

export type ServerExchangeOptions = {
  readonly stream: ServerDuplexStream<Buffer, Buffer>;
  readonly peer: string;
  /** The method for this peer, or why it may not call it. Asked once per stream and method. */
  readonly resolve: (method: string) => FramedMethod | AppError;
  /** What the caller is told about a thrown value; logs what nobody foresaw. */
  readonly faultOf: (method: string, thrown: unknown) => AppError;
  readonly commandsInFlightMax: number;
  /** Told the number of answers of each frame written. */
  readonly onFrame: (answerCount: number) => void;
  readonly logger: Logger;
  readonly onClosed: () => void;
};

type DoneCommand = { readonly id: number; readonly value: unknown; readonly encoder: BodyEncoder<unknown> };
type ReadyFrame = ResponseFrame & { readonly answerCount: number };

/** Commands that were under way when the drain began are still taken for so long; later ones are answered `unavailable`. */
const drainGraceMs = 1_000;
/** Names remembered per stream; a peer that invents names is answered without being remembered. */
const resolvedMethodsMax = 256;

export class ServerExchange {
  readonly #options: ServerExchangeOptions;
  readonly #stream: ServerDuplexStream<Buffer, Buffer>;
  readonly #running = new Map<number, CommandContext>();
  readonly #resolved = new Map<string, FramedMethod | AppError>();
  readonly #outlet: FrameOutlet;
  readonly #writer = new ResponseFrameWriter();
  readonly #sweep = new DeadlineSweep(() => this.#abortExpired());
  /** Answers that wait for the end of the turn, or for the outlet; `inFlight` counts them. */
  readonly #done: DoneCommand[] = [];
  #framesReady: ReadyFrame[] = [];
  #answersUnwritten = 0;
  #isFlushPlanned = false;
  #isHalfClosed = false;
  #isClosed = false;
  #drainingSinceMs = Number.POSITIVE_INFINITY;

  constructor(options: ServerExchangeOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.#outlet = new FrameOutlet(options.stream, () => this.#onFree());
    const { stream } = options;
    stream.on("data", (frame: Buffer) => this.#onFrame(frame));
    stream.on("end", () => this.#onHalfClose());
    stream.on("cancelled", () => this.#close());
    stream.on("error", () => this.#close());
    stream.on("close", () => this.#close());
  }

  get inFlight(): number {
    return this.#running.size + this.#answersUnwritten;
  }

  /** Asks the client to send no more; the stream ends when it has half-closed and everything is answered. */
  drain(): void {
    if (this.#isClosed || this.#drainingSinceMs !== Number.POSITIVE_INFINITY) return;
    this.#drainingSinceMs = performance.now();
    this.#addFault(goingAwayId, new AppError("unavailable", "going away", { work: "not_done" }));
  }

  /** Ends the stream now; what is in flight is lost to the client. */
  cut(): void {
    if (this.#isClosed) return;
    this.#stream.emit("error", { code: status.UNAVAILABLE, details: "the server went away" });
    this.#close();
  }

  /** Called by a context whose signal was asked for. */
  watchDeadline(deadlineMs: number): void {
    this.#sweep.watch(deadlineMs);
  }

  #onFrame(message: Buffer): void {
    let frame: RequestFrame;
    try {
      frame = readRequestFrame(bytesOf(message));
    } catch {
      this.#violated("a malformed frame");
      return;
    }
    if (frame.ids.length > commandsPerFrameMax) {
      this.#violated("too many commands in a frame");
      return;
    }
    if (frame.methods.length > methodsPerFrameMax) {
      this.#violated("too many methods in a frame");
      return;
    }
    const receivedAtMs = Date.now();
    const methods = frame.methods.map((name) => this.#resolve(name));
    for (let index = 0; index < frame.ids.length && !this.#isClosed; index += 1) this.#start(frame, index, methods, receivedAtMs);
    for (const id of frame.cancels) this.#cancel(id);
  }

  #start(frame: RequestFrame, index: number, methods: readonly (FramedMethod | AppError)[], receivedAtMs: number): void {
    const id = frame.ids[index] ?? 0;
    if (id === goingAwayId || this.#running.has(id)) {
      this.#violated("a command id of 0 or in use");
      return;
    }
    const timeoutMs = frame.timeoutsMs[index] ?? 0;
    const method = methods[frame.methodIndexes[index] ?? 0] ?? unknownMethod;
    const refusal = this.#refusal(method, timeoutMs, receivedAtMs);
    if (refusal !== undefined) {
      this.#addFault(id, refusal);
      return;
    }
    const context = new CommandContext(this, this.#options.peer, receivedAtMs + timeoutMs, frame.traceparents[index] ?? "");
    this.#running.set(id, context);
    const { run, encoder } = method as FramedMethod;
    run(frame.bodies[index] ?? noBody, context).then(
      (value) => this.#finish(id, context, value, encoder),
      (thrown: unknown) => this.#fail(id, context, this.#options.faultOf(frame.methods[frame.methodIndexes[index] ?? 0] ?? "", thrown)),
    );
  }

  #refusal(method: FramedMethod | AppError, timeoutMs: number, receivedAtMs: number): AppError | undefined {
    if (method instanceof AppError) return method;
    const notDone = { work: "not_done" } as const;
    if (timeoutMs < 1 || timeoutMs > timeoutMsMax) {
      return new AppError("parameter_invalid", `timeout_ms is from 1 to ${timeoutMsMax}`, { ...notDone, param: "timeout_ms" });
    }
    if (Date.now() >= receivedAtMs + timeoutMs) return new AppError("deadline_exceeded", "the deadline passed before the start", notDone);
    if (performance.now() - this.#drainingSinceMs > drainGraceMs) return new AppError("unavailable", "going away", notDone);
    if (this.inFlight >= this.#options.commandsInFlightMax) {
      return new AppError("overloaded", `${this.inFlight} commands of this stream are in flight`, notDone);
    }
    return undefined;
  }

  #resolve(name: string): FramedMethod | AppError {
    const known = this.#resolved.get(name);
    if (known !== undefined) return known;
    const resolved = this.#options.resolve(name);
    if (this.#resolved.size < resolvedMethodsMax) this.#resolved.set(name, resolved);
    return resolved;
  }

  #cancel(id: number): void {
    const context = this.#running.get(id);
    if (context === undefined) return;
    context.isAnswerWanted = false;
    context.abort(new AppError("cancelled", "the caller gave up", { work: "unknown" }));
  }

  #finish(id: number, context: CommandContext, value: unknown, encoder: BodyEncoder<unknown>): void {
    this.#running.delete(id);
    if (!context.isAnswerWanted) {
      encoder.wipe?.(value);
      this.#endIfDone();
      return;
    }
    this.#done.push({ id, value, encoder });
    this.#answersUnwritten += 1;
    this.#planFlush();
  }

  #fail(id: number, context: CommandContext, fault: AppError): void {
    this.#running.delete(id);
    if (!context.isAnswerWanted) {
      this.#endIfDone();
      return;
    }
    this.#addFault(id, fault);
  }

  #addFault(id: number, error: AppError): void {
    this.#writer.addFault(id, toFault(error));
    this.#answersUnwritten += 1;
    this.#closeFrameIfFull();
    this.#planFlush();
  }

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#outlet.isBlocked) return;
    this.#isFlushPlanned = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    if (this.#isClosed) return;
    do {
      this.#encode(this.#done.splice(0, commandsPerFrameMax));
      if (this.#writer.answerCount > 0) this.#closeFrame();
      this.#writeFrames();
    } while (this.#done.length > 0 && !this.#outlet.isBlocked);
    if (this.#outlet.isBlocked) this.#stream.pause();
    this.#endIfDone();
  }

  #writeFrames(): void {
    while (!this.#outlet.isBlocked) {
      const frame = this.#framesReady.shift();
      if (frame === undefined) return;
      this.#options.onFrame(frame.answerCount);
      if (frame.isSecret) this.#outlet.writeSecret(frame.bytes);
      else this.#outlet.write(frame.bytes);
      this.#answersUnwritten -= frame.answerCount;
    }
  }

  #encode(answers: readonly DoneCommand[]): void {
    encodeEach<unknown, DoneCommand>(answers, ({ id, encoder }, body) => {
      if (body instanceof Error) this.#writer.addFault(id, toFault(this.#options.faultOf("an answer's encoding", body)));
      else if (body.length > bodyBytesMax) this.#writer.addFault(id, tooLarge);
      else if (encoder.wipe !== undefined) this.#writer.addSecretBody(id, body);
      else this.#writer.addBody(id, body);
      this.#closeFrameIfFull();
    });
  }

  #closeFrameIfFull(): void {
    if (this.#writer.answerCount >= commandsPerFrameMax || this.#writer.byteCount >= frameBytesSoftMax) this.#closeFrame();
  }

  #closeFrame(): void {
    const { answerCount } = this.#writer;
    this.#framesReady.push({ ...this.#writer.take(), answerCount });
  }

  #onFree(): void {
    if (!this.#isClosed) this.#stream.resume();
    this.#flush();
  }

  #onHalfClose(): void {
    this.#isHalfClosed = true;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (!this.#isHalfClosed || this.#isClosed || this.inFlight > 0) return;
    this.#stream.end();
    this.#close();
  }

  #violated(what: string): void {
    if (this.#isClosed) return;
    this.#options.logger.warn({ peer: this.#options.peer, violation: what }, "frame stream refused");
    this.#stream.emit("error", { code: status.INVALID_ARGUMENT, details: what });
    this.#close();
  }

  #abortExpired(): number {
    const nowMs = Date.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const context of this.#running.values()) {
      if (!context.hasSignal) continue;
      if (context.deadlineAtMs <= nowMs)
        context.abort(new AppError("deadline_exceeded", "the caller stopped waiting", { work: "unknown" }));
      else nextMs = Math.min(nextMs, context.deadlineAtMs);
    }
    return nextMs === Number.POSITIVE_INFINITY ? nextMs : performance.now() + (nextMs - nowMs);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sweep.stop();
    for (const context of this.#running.values()) {
      context.isAnswerWanted = false;
      context.abort(new AppError("cancelled", "the caller was lost", { work: "unknown" }));
    }
    for (const { bytes, isSecret } of this.#framesReady) if (isSecret) bytes.fill(0);
    this.#framesReady = [];
    for (const { value, encoder } of this.#done) encoder.wipe?.(value);
    this.#done.length = 0;
    this.#outlet.wipeSecrets();
    this.#options.onClosed();
  }
}

const tooLarge = toFault(new AppError("internal", `the answer is larger than ${bodyBytesMax} bytes`, { work: "done" }));
const noBody = new Uint8Array(0);
const unknownMethod = new AppError("parameter_invalid", "the command points to no method of its frame", {
  work: "not_done",
  param: "method",
});

class CommandContext implements CallContext {
  readonly #exchange: ServerExchange;
  readonly peer: string;
  readonly deadlineAtMs: number;
  readonly traceparent: string;
  isAnswerWanted = true;
  #abortReason: AppError | undefined;
  #controller: AbortController | undefined;

  constructor(exchange: ServerExchange, peer: string, deadlineAtMs: number, traceparent: string) {
    this.#exchange = exchange;
    this.peer = peer;
    this.deadlineAtMs = deadlineAtMs;
    this.traceparent = traceparent;
  }

  get hasSignal(): boolean {
    return this.#controller !== undefined && !this.#controller.signal.aborted;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
      else this.#exchange.watchDeadline(performance.now() + (this.deadlineAtMs - Date.now()));
    }
    return this.#controller.signal;
  }

  abort(reason: AppError): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(reason);
  }
}
