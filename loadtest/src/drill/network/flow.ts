/** One direction of one connection: takes bytes from the source, keeps them as the weather asks, gives them to the sink in order. */
import type { Socket } from "node:net";
import type { Random } from "../random.ts";
import { isSilent, repeatedAfterMs, type Way, type Weather } from "./weather.ts";

type Piece = { readonly bytes: Buffer; readonly dueAtMs: number };

/** Beyond this the source is not read: it feels it as a full window, as on a real link. */
const heldBytesMax = 4_194_304;
const dripEveryMs = 20;

export type FlowOptions = {
  readonly way: Way;
  readonly source: Socket;
  readonly sink: Socket;
  readonly weather: () => Weather;
  readonly random: Random;
  /** Called with the bytes that have passed, after each piece. */
  readonly onPassed: (bytes: number) => void;
};

export class Flow {
  readonly #o: FlowOptions;
  readonly #held: Piece[] = [];
  #heldBytes = 0;
  #hasEnded = false;
  #isWriting = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(o: FlowOptions) {
    this.#o = o;
    o.source.on("data", (bytes: Buffer) => this.#take(bytes));
    o.source.once("end", () => {
      this.#hasEnded = true;
      this.wake();
    });
    o.sink.on("drain", () => {
      this.#isWriting = false;
      this.wake();
    });
  }

  /** Looks again at what is held: after a change of the weather. */
  wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#o.sink.destroyed || isSilent(this.#o.weather(), this.#o.way)) return;
    while (!this.#isWriting) {
      const [piece] = this.#held;
      if (piece === undefined) break;
      const waitMs = piece.dueAtMs - performance.now();
      const isToWait = waitMs > 0 || this.#pass(piece);
      if (!isToWait) continue;
      this.#timer = setTimeout(() => this.wake(), waitMs > 0 ? waitMs : dripEveryMs);
      return;
    }
    if (this.#hasEnded && this.#held.length === 0) this.#o.sink.end();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held.length = 0;
  }

  #take(bytes: Buffer): void {
    const last = this.#held.at(-1)?.dueAtMs ?? 0;
    this.#held.push({ bytes, dueAtMs: Math.max(last, performance.now() + this.#delayMs()) });
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > heldBytesMax) this.#o.source.pause();
    if (this.#timer === undefined) this.wake();
  }

  #delayMs(): number {
    const weather = this.#o.weather();
    if (weather.kind !== "latency") return 0;
    const lost = this.#o.random() < weather.lossRatio ? repeatedAfterMs : 0;
    return weather.delayMs + this.#o.random() * weather.jitterMs + lost;
  }

  /** Gives the first piece to the sink, or as much of it as may drip; true when the rest has to wait. */
  #pass(piece: Piece): boolean {
    const weather = this.#o.weather();
    const most = weather.kind === "drip" ? Math.max(1, Math.floor((weather.bytesPerSecond * dripEveryMs) / 1_000)) : piece.bytes.length;
    const part = piece.bytes.subarray(0, most);
    if (part.length === piece.bytes.length) this.#held.shift();
    else this.#held[0] = { ...piece, bytes: piece.bytes.subarray(most) };
    this.#heldBytes -= part.length;
    if (this.#o.source.isPaused() && this.#heldBytes <= heldBytesMax / 2) this.#o.source.resume();
    this.#isWriting = !this.#o.sink.write(part);
    this.#o.onPassed(part.length);
    return weather.kind === "drip";
  }
}
