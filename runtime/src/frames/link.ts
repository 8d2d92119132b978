/**
 * A lasting link to one peer: one frame stream at a time, opened anew when it is lost.
 *
 * Invariants: at most `commandsInFlightMax` commands wait for answers over all streams of the link, and beyond it `call` is answered
 * `overloaded`; while no stream is open it is answered `unavailable` at once (nothing was sent: another replica may be asked).
 * Re-opening waits with bounded, jittered backoff. A stream whose server is going away finishes what it has while the next one opens.
 */
import { AppError, assert } from "@florin/kernel";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { createBackoff } from "./backoff.ts";
import type { BodyEncoder } from "./batch-encoder.ts";
import { ClientExchange, type PendingCommand } from "./client-exchange.ts";
import { commandsInFlightDefault, timeoutMsMax, traceparentLengthMax } from "./limits.ts";

export type CallOptions = {
  /** How long to wait for the answer, ms (at most 120,000; less than 1 is answered deadline_exceeded, not_done). */
  readonly timeoutMs: number;
  /** W3C traceparent header of the caller's span. */
  readonly traceparent?: string;
  /** Gives up waiting; the peer is told in the next frame. */
  readonly signal?: AbortSignal;
};

/** A method as a link calls it. */
export type LinkMethod<In, Out> = {
  /** "florin.vault.v1.VaultService/DescribeToken". */
  readonly name: string;
  readonly encoder: BodyEncoder<In>;
  readonly decode: (body: Uint8Array) => Out;
};

export type LinkOptions = {
  readonly address: string;
  /** Opens a stream that waits until the peer can be reached. */
  readonly open: () => ClientDuplexStream<Buffer, Buffer>;
  readonly commandsInFlightMax?: number;
  /** Told the number of commands of each frame written. */
  readonly onFrame?: (commandCount: number) => void;
  readonly logger: Logger;
};

const reopenDelayMsMin = 50;
/** Short, because a payment waits: a process that was started again is back in a second. */
const reopenDelayMsMax = 250;
/** A stream that lived so long was a good one: the next loss starts with the shortest delay again. */
const goodLifeMs = 5_000;
/** How long `close` waits for answers. */
const closeWaitMs = 10_000;

export class FrameLink {
  readonly #options: Required<LinkOptions>;
  readonly #backoff = createBackoff({ delayMsMin: reopenDelayMsMin, delayMsMax: reopenDelayMsMax });
  /** Every stream that is not over: the current one, one that opens, and ones that finish. */
  readonly #exchanges = new Set<ClientExchange>();
  #current: ClientExchange | undefined;
  /** To take the place of the current one as soon as it is open. */
  #renewal: ClientExchange | undefined;
  #reopenTimer: NodeJS.Timeout | undefined;
  #lastId = 0;
  #isClosed = false;
  #watchers = new Set<() => void>();
  readonly #openListeners = new Set<() => void>();

  constructor(options: LinkOptions) {
    this.#options = { commandsInFlightMax: commandsInFlightDefault, onFrame: () => {}, ...options };
    this.#open();
  }

  isConnected(): boolean {
    return this.#current !== undefined;
  }

  /** Commands without an answer, over all streams of this link. */
  get inFlight(): number {
    let count = 0;
    for (const exchange of this.#exchanges) count += exchange.inFlight;
    return count;
  }

  /** True as soon as a stream is open, false after `timeoutMs` (ms) without one. */
  untilConnected(timeoutMs: number): Promise<boolean> {
    if (this.isConnected()) return Promise.resolve(true);
    return this.#untilChange(() => this.isConnected(), timeoutMs);
  }

  /** Calls `listener` each time a stream has opened from now on: a peer that was away, or another one, is there. Returns how to end that. */
  onConnected(listener: () => void): () => void {
    this.#openListeners.add(listener);
    return () => this.#openListeners.delete(listener);
  }

  /** Sends one command. A request that cannot be encoded is `internal`, not_done; an answer that cannot be read `internal`, unknown. */
  call<In, Out>(method: LinkMethod<In, Out>, request: In, options: CallOptions): Promise<Out> {
    const exchange = this.#current;
    const refusal = this.#refusal(exchange, method.name, options);
    if (refusal !== undefined || exchange === undefined) return Promise.reject(refusal);
    return new Promise<Out>((resolve, reject) => {
      const command: PendingCommand = {
        id: this.#nextId(),
        method: method.name,
        value: request,
        encoder: method.encoder as BodyEncoder<unknown>,
        body: undefined,
        traceparent: traceparentOf(options),
        deadlineMs: performance.now() + Math.min(options.timeoutMs, timeoutMsMax),
        resolve: (answer) => {
          try {
            resolve(method.decode(answer));
          } catch (cause) {
            reject(new AppError("internal", `the answer of ${method.name} cannot be read`, { work: "unknown", cause }));
          }
        },
        reject,
        isSent: false,
        isSettled: false,
        unwatch: undefined,
      };
      exchange.submit(command);
      if (options.signal !== undefined) watchAbort(options.signal, exchange, command);
    });
  }

  /**
   * Opens another stream beside the current one and moves to it when it is open; what is in flight is answered where it is. Without a current one
   * there is nothing to move from: whatever opens next is new.
   */
  renew(): void {
    if (this.#isClosed || this.#current === undefined) return;
    this.#renewal?.destroy();
    this.#renewal = this.#open();
  }

  /** Refuses new commands, waits for the answers to those in flight (at most 10 s), closes the stream. Safe to repeat. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#current = undefined;
    clearTimeout(this.#reopenTimer);
    for (const exchange of this.#exchanges) {
      if (exchange.inFlight === 0) exchange.destroy();
      else exchange.drain();
    }
    const isDone = await this.#untilChange(() => this.#exchanges.size === 0, closeWaitMs);
    if (!isDone) for (const exchange of this.#exchanges) exchange.destroy();
  }

  #refusal(exchange: ClientExchange | undefined, method: string, options: CallOptions): AppError | undefined {
    assert(!Number.isNaN(options.timeoutMs), "timeoutMs is a number");
    const notDone = { work: "not_done" } as const;
    if (exchange === undefined) return new AppError("unavailable", `not connected to ${this.#options.address}`, notDone);
    if (options.timeoutMs < 1) return new AppError("deadline_exceeded", `no time left for ${method}`, notDone);
    if (options.signal?.aborted === true) return new AppError("cancelled", "the caller gave up", notDone);
    const inFlight = this.#exchanges.size === 1 ? exchange.inFlight : this.inFlight;
    if (inFlight >= this.#options.commandsInFlightMax) {
      return new AppError("overloaded", `${inFlight} commands are in flight to ${this.#options.address}`, notDone);
    }
    return undefined;
  }

  /** 1 to 2^32-1, then again from 1. A number is free again long before: at most a few thousand are in flight. */
  #nextId(): number {
    this.#lastId = this.#lastId >= 0xffff_ffff ? 1 : this.#lastId + 1;
    return this.#lastId;
  }

  #open(): ClientExchange {
    const openedAtMs = performance.now();
    const exchange: ClientExchange = new ClientExchange({
      stream: this.#options.open(),
      address: this.#options.address,
      onOpen: () => this.#opened(exchange),
      onFrame: this.#options.onFrame,
      onGoingAway: () => this.#goingAway(exchange),
      onEnd: (status) => {
        // One that never opened was tried for seconds below us, with delays of its own.
        if (performance.now() - openedAtMs >= goodLifeMs || !exchange.wasOpened) this.#backoff.reset();
        this.#ended(exchange, status);
      },
    });
    this.#exchanges.add(exchange);
    return exchange;
  }

  #opened(exchange: ClientExchange): void {
    if (this.#isClosed) {
      exchange.destroy();
      return;
    }
    const before = this.#current;
    this.#current = exchange;
    if (this.#renewal === exchange) this.#renewal = undefined;
    before?.drain();
    this.#options.logger.info({ address: this.#options.address }, "frame stream open");
    this.#changed();
    for (const listener of this.#openListeners) listener();
  }

  #goingAway(exchange: ClientExchange): void {
    exchange.drain();
    if (this.#current !== exchange) return;
    this.#current = undefined;
    this.#options.logger.info({ address: this.#options.address, in_flight: exchange.inFlight }, "frame stream going away");
    this.#reopenLater();
    this.#changed();
  }

  #ended(exchange: ClientExchange, status: { readonly code: number; readonly details: string }): void {
    this.#exchanges.delete(exchange);
    if (this.#renewal === exchange) this.#renewal = undefined;
    const wasCurrent = this.#current === exchange;
    if (wasCurrent) this.#current = undefined;
    if (!this.#isClosed) {
      const facts = { address: this.#options.address, status_code: status.code, details: status.details };
      if (status.code === 0) this.#options.logger.info(facts, "frame stream closed");
      else this.#options.logger.warn(facts, "frame stream lost");
      if (this.#current === undefined) this.#reopenLater();
    }
    this.#changed();
  }

  #reopenLater(): void {
    if (this.#reopenTimer !== undefined || this.#isClosed) return;
    this.#reopenTimer = setTimeout(() => {
      this.#reopenTimer = undefined;
      if (this.#current === undefined && !this.#isClosed) this.#open();
    }, this.#backoff.next());
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }

  #untilChange(check: () => boolean, timeoutMs: number): Promise<boolean> {
    if (check()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (isMet: boolean) => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        resolve(isMet);
      };
      const watcher = () => {
        if (check()) done(true);
      };
      const timer = setTimeout(() => done(check()), timeoutMs);
      this.#watchers.add(watcher);
    });
  }
}

/** A malformed header is the caller's tracing at fault, not the command: it is left out. */
function traceparentOf(options: CallOptions): string {
  const { traceparent } = options;
  if (traceparent === undefined || traceparent.length > traceparentLengthMax) return "";
  return /^[\x21-\x7e]*$/.test(traceparent) ? traceparent : "";
}

/** The listener goes when the command is settled, or a signal that lives as long as the process would gather them. */
function watchAbort(signal: AbortSignal, exchange: ClientExchange, command: PendingCommand): void {
  const onAbort = () => exchange.cancel(command);
  signal.addEventListener("abort", onAbort, { once: true });
  command.unwatch = () => signal.removeEventListener("abort", onAbort);
}
