/**
 * Keep-alive connections to one processor, one exchange at a time on each (no pipelining).
 *
 * Why not a general HTTP client: the difference between "never left" and "left, outcome unknown" must be certain, a request must never be
 * repeated behind our back, and the client is on the hot path (bench/simpay.bench.ts compares).
 *
 * Invariants
 * - a request is `not_sent` only if no byte of it was handed to a socket; from the first byte on, anything but a readable answer is `unknown`;
 * - no request is ever sent twice;
 * - a connection that was cut, timed out, or gave an answer that cannot be trusted is closed, so no answer meets another's request twice;
 * - connections, waiting requests and answer sizes are bounded; a deadline is kept to within `sweepMs`, by the clock that never jumps.
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { assert } from "@florin/kernel";
import { type Reading, readResponse } from "./response-reader.ts";

/** Why a reader refuses an answer. */
export type Refused = "garbage" | "answer_mismatch";
/** Reads an answer while its bytes are there; a word when it cannot be the answer to this request. The bytes must not be kept. */
export type ReadAnswer<T extends object> = (status: number, body: Buffer) => T | Refused;

export type LinkAnswer<T extends object> =
  | { readonly kind: "answered"; readonly value: T }
  | { readonly kind: "not_sent"; readonly cause: "not_connected" | "queue_full" | "deadline_exceeded" | "closing" }
  | { readonly kind: "unknown"; readonly cause: "timeout" | "connection_lost" | Refused };

export type HttpLinkOptions = {
  /** http: or https:, host and port. */
  readonly url: URL;
  readonly connectionsMax: number;
  /** Requests that wait for a connection. One more is answered `queue_full`. */
  readonly waitingMax: number;
  readonly connectTimeoutMs: number;
  /** A connection idle for longer is not used again: its peer may be closing it. */
  readonly idleMsMax: number;
};

export type HttpLink = {
  /**
   * `request` is a whole HTTP/1.1 request. It must not change until `onWritten` is called or the promise settles; it never rejects.
   * `onWritten`: the operating system has all of the request, or will never get the rest. It may come after the promise has settled.
   */
  exchange<T extends object>(request: Buffer, deadlineAtMs: number, read: ReadAnswer<T>, onWritten?: () => void): Promise<LinkAnswer<T>>;
  /** False after a failed connection attempt, until one succeeds. */
  isUp(): boolean;
  readonly connections: number;
  readonly inFlight: number;
  /** Refuses new requests, waits for those in flight (their deadlines bound it), closes the connections. */
  close(): Promise<void>;
};

export const sweepMs = 20;

type Exchange = {
  readonly request: Buffer;
  /** By the clock that never jumps. */
  readonly deadlineMs: number;
  readonly read: ReadAnswer<object>;
  readonly onWritten: (() => void) | undefined;
  readonly settle: (answer: LinkAnswer<object>) => void;
};

export function createHttpLink(options: HttpLinkOptions): HttpLink {
  assert(options.url.protocol === "http:" || options.url.protocol === "https:", "a processor's URL is http or https");
  return new Link(options);
}

class Link implements HttpLink {
  readonly options: HttpLinkOptions;
  readonly #all = new Set<Connection>();
  /** Last used, first taken: few warm connections instead of many cold ones. */
  readonly #idle: Connection[] = [];
  #waiting: Exchange[] = [];
  #waitingFrom = 0;
  #exchangeCount = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #isUp = true;
  #isClosing = false;
  #whenQuiet: (() => void)[] = [];

  constructor(options: HttpLinkOptions) {
    this.options = options;
  }

  get connections(): number {
    return this.#all.size;
  }

  get inFlight(): number {
    return this.#exchangeCount;
  }

  isUp(): boolean {
    return this.#isUp;
  }

  exchange<T extends object>(request: Buffer, deadlineAtMs: number, read: ReadAnswer<T>, onWritten?: () => void): Promise<LinkAnswer<T>> {
    if (this.#isClosing) return Promise.resolve({ kind: "not_sent", cause: "closing" });
    const leftMs = deadlineAtMs - Date.now();
    if (leftMs <= 0) return Promise.resolve({ kind: "not_sent", cause: "deadline_exceeded" });
    return new Promise((resolve) => {
      // `read` gives what `resolve` takes; in between both are of any object type.
      const settle = resolve as (answer: LinkAnswer<object>) => void;
      this.#exchangeCount += 1;
      this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs);
      this.#place({ request, deadlineMs: performance.now() + leftMs, read, onWritten, settle });
    });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#exchangeCount > 0) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
    for (const connection of this.#all) connection.end();
  }

  #place(exchange: Exchange): void {
    const idle = this.#takeIdle();
    if (idle !== undefined) idle.start(exchange);
    else if (this.#all.size < this.options.connectionsMax) this.#open(exchange);
    else if (this.#waiting.length - this.#waitingFrom >= this.options.waitingMax)
      this.finish(exchange, { kind: "not_sent", cause: "queue_full" });
    else this.#waiting.push(exchange);
  }

  #takeIdle(): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.isFresh(performance.now())) return connection;
      connection.end();
    }
  }

  #open(exchange: Exchange): void {
    const connection = new Connection(this, exchange);
    this.#all.add(connection);
  }

  #nextWaiting(): Exchange | undefined {
    const exchange = this.#waiting[this.#waitingFrom];
    if (exchange === undefined) return undefined;
    this.#waitingFrom += 1;
    if (this.#waitingFrom > 1_024 || this.#waitingFrom === this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#waitingFrom);
      this.#waitingFrom = 0;
    }
    return exchange;
  }

  /** Settles one exchange. */
  finish(exchange: Exchange, answer: LinkAnswer<object>): void {
    this.#exchangeCount -= 1;
    exchange.settle(answer);
    if (this.#exchangeCount > 0) return;
    if (this.#isClosing) for (const resolve of this.#whenQuiet.splice(0)) resolve();
  }

  /** A connection is free for the next exchange. */
  free(connection: Connection): void {
    const next = this.#nextWaiting();
    if (next === undefined) this.#idle.push(connection);
    else connection.start(next);
  }

  connected(): void {
    this.#isUp = true;
  }

  /** A connection is gone. Whoever waits gets a new one. */
  gone(connection: Connection, wasConnected: boolean): void {
    if (!wasConnected) this.#isUp = false;
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    const next = this.#nextWaiting();
    if (next !== undefined) this.#open(next);
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const connection of this.#all) connection.sweep(nowMs);
    const waiting = this.#waiting.slice(this.#waitingFrom);
    if (waiting.some((exchange) => exchange.deadlineMs <= nowMs)) {
      this.#waiting = waiting.filter((exchange) => exchange.deadlineMs > nowMs);
      this.#waitingFrom = 0;
      for (const exchange of waiting)
        if (exchange.deadlineMs <= nowMs) this.finish(exchange, { kind: "not_sent", cause: "deadline_exceeded" });
    }
    if (this.#exchangeCount > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

class Connection {
  readonly #link: Link;
  readonly #socket: Socket;
  readonly #connectByMs: number;
  #isConnected = false;
  #isGone = false;
  #exchange: Exchange | undefined;
  /** Bytes of an answer that came in several pieces. */
  #partial: Buffer | undefined;
  #pieces = 0;
  #idleSinceMs = 0;
  #idleMsMax: number;

  /** Connects, then sends `first`. */
  constructor(link: Link, first: Exchange) {
    const { url, connectTimeoutMs, idleMsMax } = link.options;
    this.#link = link;
    this.#exchange = first;
    this.#idleMsMax = idleMsMax;
    this.#connectByMs = performance.now() + connectTimeoutMs;
    const isTls = url.protocol === "https:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const address = { host, port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port), noDelay: true };
    const names = isIP(host) === 0 ? { servername: host } : {};
    this.#socket = isTls ? connectTls({ ...address, ...names, ALPNProtocols: ["http/1.1"] }) : connectTcp(address);
    this.#socket.once(isTls ? "secureConnect" : "connect", () => this.#onConnect());
    this.#socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    // A half-closed connection cannot take another request; what was asked may still be answered, but nobody can tell: it is lost.
    this.#socket.once("end", () => this.#lose());
    this.#socket.on("error", () => this.#lose());
    this.#socket.once("close", () => this.#lose());
  }

  start(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#pieces = 0;
    this.#socket.write(exchange.request, exchange.onWritten);
  }

  /** Only while idle. */
  isFresh(nowMs: number): boolean {
    return !this.#isGone && nowMs - this.#idleSinceMs < this.#idleMsMax;
  }

  /** Closes an idle connection. */
  end(): void {
    this.#lose();
  }

  sweep(nowMs: number): void {
    const exchange = this.#exchange;
    if (this.#isConnected) {
      if (exchange !== undefined && exchange.deadlineMs <= nowMs) this.#fail({ kind: "unknown", cause: "timeout" });
      return;
    }
    if (this.#connectByMs <= nowMs) this.#fail({ kind: "not_sent", cause: "not_connected" });
    else if (exchange !== undefined && exchange.deadlineMs <= nowMs) {
      // The connection may still come up and serve the next one.
      this.#exchange = undefined;
      this.#link.finish(exchange, { kind: "not_sent", cause: "deadline_exceeded" });
    }
  }

  #onConnect(): void {
    this.#isConnected = true;
    this.#link.connected();
    const first = this.#exchange;
    if (first === undefined) this.#rest();
    else this.start(first);
  }

  #onData(chunk: Buffer): void {
    const exchange = this.#exchange;
    // Bytes that nobody asked for: a second answer, or a peer out of step. The next answer could not be trusted.
    if (exchange === undefined) {
      this.#lose();
      return;
    }
    const bytes = this.#partial === undefined ? chunk : Buffer.concat([this.#partial, chunk]);
    this.#pieces += 1;
    const reading = readResponse(bytes, this.#pieces);
    if (reading.kind === "more") this.#partial = bytes;
    else if (reading.kind === "garbage") this.#fail({ kind: "unknown", cause: "garbage" });
    else this.#onResponse(exchange, reading);
  }

  #onResponse(exchange: Exchange, { head, body, hasExcess }: Extract<Reading, { kind: "response" }>): void {
    // Answered before it had all of the request: the rest must not leave later, when its buffer belongs to another request.
    const value = this.#socket.writableLength > 0 ? "garbage" : exchange.read(head.status, body);
    if (typeof value === "string") {
      this.#fail({ kind: "unknown", cause: value });
      return;
    }
    this.#partial = undefined;
    this.#exchange = undefined;
    // One second early, so that we never write while the peer is closing.
    if (head.keepAliveS !== undefined)
      this.#idleMsMax = Math.min(this.#link.options.idleMsMax, Math.max(0, head.keepAliveS * 1_000 - 1_000));
    this.#link.finish(exchange, { kind: "answered", value });
    if (head.isLast || hasExcess) this.#lose();
    else this.#rest();
  }

  #rest(): void {
    this.#idleSinceMs = performance.now();
    this.#link.free(this);
  }

  /** Ends this connection with an answer for its exchange. */
  #fail(answer: LinkAnswer<object>): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#partial = undefined;
    this.#lose();
    if (exchange !== undefined) this.#link.finish(exchange, answer);
  }

  /** The connection is over, for whatever reason. Safe to repeat. */
  #lose(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#socket.destroy();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#link.gone(this, this.#isConnected);
    if (exchange === undefined) return;
    this.#link.finish(
      exchange,
      this.#isConnected ? { kind: "unknown", cause: "connection_lost" } : { kind: "not_sent", cause: "not_connected" },
    );
  }
}
