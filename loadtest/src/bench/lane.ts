/**
 * One keep-alive HTTP/1.1 connection with one request in flight: as little work as possible, because the generator shares the machine
 * with what it measures. Reads status, Content-Length and, when asked, Retry-After, nothing else; a server that answers in chunks is refused.
 */
import { connect, type Socket } from "node:net";

export type Answer = {
  /** HTTP status; 0 when the connection broke before the answer. */
  readonly status: number;
  readonly body: () => string;
  /** Of Retry-After, ms; 0 without one. */
  readonly retryAfterMs: () => number;
};

const headEnd = Buffer.from("\r\n\r\n");
const noBody = () => "";
const noRetryAfter = () => 0;

export class Lane {
  readonly #host: string;
  readonly #port: number;
  readonly #onAnswer: (lane: Lane, answer: Answer) => void;
  #socket: Socket | undefined;
  #rest: Buffer | undefined;
  #isBusy = false;
  /** When the request in flight was meant to start, from `performance.now()`. */
  intendedAtMs = 0;

  constructor(options: { host: string; port: number; onAnswer: (lane: Lane, answer: Answer) => void }) {
    this.#host = options.host;
    this.#port = options.port;
    this.#onAnswer = options.onAnswer;
  }

  /** One request at a time: the next one after `onAnswer`. */
  send(request: string, intendedAtMs: number): void {
    this.#isBusy = true;
    this.intendedAtMs = intendedAtMs;
    this.#socket ??= this.#open();
    this.#socket.write(request, "latin1");
  }

  close(): void {
    this.#isBusy = false;
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", () => undefined);
    socket.once("close", () => this.#lost(socket));
    return socket;
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#rest = undefined;
    if (this.#isBusy) this.#answer({ status: 0, body: noBody, retryAfterMs: noRetryAfter });
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.indexOf(headEnd);
    if (end < 0) {
      this.#rest = bytes;
      return;
    }
    const bodyAt = end + headEnd.length;
    const head = bytes.toString("latin1", 0, end);
    const length = contentLength(head);
    if (bytes.length < bodyAt + length) {
      this.#rest = bytes;
      return;
    }
    this.#rest = undefined;
    this.#answer({
      status: Number(bytes.toString("latin1", 9, 12)),
      body: () => bytes.toString("utf8", bodyAt, bodyAt + length),
      retryAfterMs: () => 1_000 * Number(/\r\nretry-after: *(\d+)/i.exec(head)?.[1] ?? 0),
    });
  }

  #answer(answer: Answer): void {
    this.#isBusy = false;
    this.#onAnswer(this, answer);
  }
}

function contentLength(head: string): number {
  const found = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (found === null) throw new Error(`the server's answer has no Content-Length: ${head.slice(0, 200)}`);
  return Number(found[1]);
}
