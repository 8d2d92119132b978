/**
 * The server's end of every call, whichever way it came: identity, policy, bound, deadline, then the method's one function.
 */
import { FrameService } from "@florin/gen/frames/v1/frames";
import { AppError, toAppError } from "@florin/kernel";
import {
  Metadata,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Logger } from "pino";
import { bytesOf, commandsInFlightDefault, type FramedMethod, ServerExchange } from "../frames/index.ts";
import type { Metrics } from "../telemetry/index.ts";
import type { CertificateCheck } from "../tls/index.ts";
import { type CallerPolicy, createPolicyCheck, type PolicyCheck } from "./caller-policy.ts";
import { type FrameMetrics, observeFrames } from "./frame-metrics.ts";
import { GrpcCallContext, streamingDeadlineAtMs, unaryDeadlineAtMs } from "./grpc-call-context.ts";
import { toStatus } from "./grpc-status.ts";
import { asBuffer, asIs } from "./grpc-words.ts";
import { peerOf } from "./peer.ts";
import { type MethodEntry, methodName, type ServiceImplementation, type StreamingEntry, type UnaryEntry } from "./service.ts";

export type CallHostOptions = {
  readonly policy: CallerPolicy;
  readonly isInsecure: boolean;
  readonly certificateCheck: CertificateCheck;
  readonly commandsInFlightMax?: number;
  readonly metrics?: Metrics;
  readonly logger: Logger;
};

type Bound = [ServiceDefinition, UntypedServiceImplementation];

export class CallHost {
  readonly #isInsecure: boolean;
  readonly #certificateCheck: CertificateCheck;
  readonly #commandsInFlightMax: number;
  readonly #logger: Logger;
  readonly #check: PolicyCheck;
  readonly #frameMetrics: FrameMetrics;
  /** The methods that frames may name. */
  readonly #framed = new Map<string, FramedMethod>();
  /** What lasts, with a question that throws when its caller is not let in any more. */
  readonly #exchanges = new Map<ServerExchange, () => unknown>();
  readonly #streaming = new Map<GrpcCallContext, () => unknown>();
  readonly #unaryCalls = new Set<(fault: AppError) => void>();
  #isDraining = false;
  #whenIdle: (() => void)[] = [];

  constructor(o: CallHostOptions) {
    this.#isInsecure = o.isInsecure;
    this.#certificateCheck = o.certificateCheck;
    this.#commandsInFlightMax = o.commandsInFlightMax ?? commandsInFlightDefault;
    this.#logger = o.logger;
    this.#frameMetrics = observeFrames(o.metrics, "server", () =>
      [...this.#exchanges.keys()].reduce((sum, { inFlight }) => sum + inFlight, 0),
    );
    this.#check = createPolicyCheck(o.policy, o.isInsecure);
  }

  get streamCount(): number {
    return this.#exchanges.size;
  }

  bind(implementation: ServiceImplementation): Bound {
    const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
    const handlers: Record<string, UntypedHandleCall> = {};
    for (const entry of implementation.methods) {
      definition[entry.name] = definitionOf(entry.name, false, entry.kind === "server_streaming");
      handlers[entry.name] = this.#handlerOf(entry);
      if (entry.kind === "unary") this.#framed.set(entry.name, entry);
    }
    return [definition, handlers];
  }

  bindFrames(): Bound {
    const name = methodName(FrameService.method.exchange);
    const handler = (call: ServerDuplexStream<Buffer, Buffer>) => this.#exchange(call);
    return [{ [name]: definitionOf(name, true, true) }, { [name]: handler as UntypedHandleCall }];
  }

  /** Refuses new work; resolves when nothing is in flight. Streams of unbounded length are aborted. */
  drain(): Promise<void> {
    this.#isDraining = true;
    for (const exchange of this.#exchanges.keys()) exchange.drain();
    for (const context of this.#streaming.keys()) context.abort(goingAway());
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Answers what is still in flight with a fault: its callers learn at once that the outcome is unknown. */
  cut(): void {
    for (const refuse of this.#unaryCalls) refuse(new AppError("peer_lost", "the server went away before the answer", { work: "unknown" }));
    for (const exchange of this.#exchanges.keys()) exchange.cut();
  }

  /** Ends what lasts and whose certificate was revoked or has expired since: TLS looks at it once, when the connection is made. */
  expel(): void {
    for (const [exchange, stillAllowed] of this.#exchanges) if (this.#isExpelled(stillAllowed)) exchange.cut();
    for (const [context, stillAllowed] of this.#streaming) if (this.#isExpelled(stillAllowed)) context.abort(goingAway());
  }

  #isExpelled(stillAllowed: () => unknown): boolean {
    try {
      stillAllowed();
      return false;
    } catch (thrown) {
      this.#logger.warn({ err: thrown }, "caller put out");
      return true;
    }
  }

  #peerOf(call: Parameters<typeof peerOf>[0]): string {
    return peerOf(call, this.#isInsecure, this.#certificateCheck);
  }

  #handlerOf(entry: MethodEntry): UntypedHandleCall {
    if (entry.kind === "unary") {
      return ((call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
        this.#unary(entry, call, callback)) as UntypedHandleCall;
    }
    return ((call: ServerWritableStream<Buffer, Buffer>) => void this.#stream(entry, call)) as UntypedHandleCall;
  }

  #unary(entry: UnaryEntry, call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
    const refuse = (fault: AppError) => answer(toStatus(fault));
    // Answered once: by the handler, or by `cut` when it takes longer than the drain.
    const answer: sendUnaryData<Buffer> = (...facts) => {
      if (!this.#unaryCalls.delete(refuse)) return;
      callback(...facts);
      this.#signalIdle();
    };
    this.#unaryCalls.add(refuse);
    this.#runUnary(entry, call).then(
      (body) => answer(null, asBuffer(body)),
      (thrown: unknown) => refuse(this.#faultOf(entry.name, thrown)),
    );
  }

  async #runUnary(entry: UnaryEntry, call: ServerUnaryCall<Buffer, Buffer>): Promise<Uint8Array> {
    const peer = this.#admit(entry.name, call);
    if (this.#unaryCalls.size > this.#commandsInFlightMax) {
      throw new AppError("overloaded", `${this.#commandsInFlightMax} calls are in flight`, { work: "not_done" });
    }
    const nowMs = Date.now();
    const deadlineAtMs = unaryDeadlineAtMs(call, nowMs);
    if (deadlineAtMs <= nowMs) throw new AppError("deadline_exceeded", "the deadline passed before the start", { work: "not_done" });
    const value = await entry.run(bytesOf(call.request), new GrpcCallContext(call, peer, deadlineAtMs));
    const [body] = entry.encoder.encodeAll([value]);
    if (body instanceof Uint8Array) return body;
    throw body ?? new Error("an answer was not encoded");
  }

  async #stream(entry: StreamingEntry, call: ServerWritableStream<Buffer, Buffer>): Promise<void> {
    let context: GrpcCallContext | undefined;
    try {
      context = new GrpcCallContext(call, this.#admit(entry.name, call), streamingDeadlineAtMs(call));
      this.#streaming.set(context, () => this.#peerOf(call));
      for await (const message of entry.run(bytesOf(call.request), context)) {
        if (context.signal.aborted) break;
        if (!call.write(asBuffer(message))) await writable(call, context.signal);
      }
      if (this.#isDraining) throw goingAway();
      call.end();
    } catch (thrown) {
      const aborted = context?.signal.aborted === true ? context.signal.reason : undefined;
      call.emit("error", toStatus(this.#faultOf(entry.name, aborted ?? thrown)));
    } finally {
      if (context !== undefined) this.#streaming.delete(context);
      this.#signalIdle();
    }
  }

  #exchange(stream: ServerDuplexStream<Buffer, Buffer>): void {
    let peer: string;
    try {
      peer = this.#peerOf(stream);
    } catch (thrown) {
      stream.emit("error", toStatus(this.#faultOf("frames", thrown)));
      return;
    }
    // The client counts as connected from here on.
    stream.sendMetadata(new Metadata());
    const exchange = new ServerExchange({
      stream,
      peer,
      resolve: (method) => this.#resolve(peer, method),
      faultOf: (method, thrown) => this.#faultOf(method, thrown),
      commandsInFlightMax: this.#commandsInFlightMax,
      onFrame: this.#frameMetrics.onFrame,
      logger: this.#logger,
      onClosed: () => {
        this.#exchanges.delete(exchange);
        this.#signalIdle();
      },
    });
    this.#exchanges.set(exchange, () => this.#peerOf(stream));
    if (this.#isDraining) exchange.drain();
  }

  #resolve(peer: string, method: string): FramedMethod | AppError {
    const refusal = this.#check(peer, method);
    if (refusal !== undefined) return this.#refused(peer, method, refusal);
    return this.#framed.get(method) ?? new AppError("internal", `there is no method ${method}`, { work: "not_done" });
  }

  /** The caller's identity. Throws AppError (not_done) when it may not call this method, or the server is going away. */
  #admit(method: string, call: ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>): string {
    const peer = this.#peerOf(call);
    const refusal = this.#check(peer, method);
    if (refusal !== undefined) throw this.#refused(peer, method, refusal);
    if (this.#isDraining) throw goingAway();
    return peer;
  }

  #refused(peer: string, method: string, refusal: AppError): AppError {
    this.#logger.warn({ peer, method }, "caller refused");
    return refusal;
  }

  /** What the caller is told; a fault that nobody foresaw is logged with its cause, which stays here. */
  #faultOf(method: string, thrown: unknown): AppError {
    const fault = toAppError(thrown);
    if (fault.code === "internal") this.#logger.error({ method, err: fault.cause ?? fault }, "a call failed unexpectedly");
    return fault;
  }

  #isIdle(): boolean {
    return this.#unaryCalls.size === 0 && this.#exchanges.size === 0 && this.#streaming.size === 0;
  }

  #signalIdle(): void {
    if (!this.#isIdle()) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

function goingAway(): AppError {
  return new AppError("unavailable", "the server is going away", { work: "not_done" });
}

/** Resolves when the stream takes more, or the call is over. */
function writable(call: ServerWritableStream<Buffer, Buffer>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    call.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}

function definitionOf(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path: `/${name}`,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}
