/**
 * Writing frames with backpressure: says when to stop and when to go on.
 *
 * grpc-js counts messages (`write` says false from 16 on), which for frames of hundreds of kilobytes would be megabytes of memory; so the
 * bytes handed over and not yet taken by HTTP/2 are counted too. Who writes although it is blocked loses nothing, but breaks the bound.
 */
import { unwrittenBytesMax } from "./limits.ts";

type FrameSink = {
  write(frame: Buffer, onWritten: () => void): boolean;
  on(event: "drain", listener: () => void): unknown;
};

export class FrameOutlet {
  readonly #sink: FrameSink;
  readonly #onFree: () => void;
  #unwrittenBytes = 0;
  #isSinkFull = false;

  /** `onFree` is called each time a blocked outlet takes frames again. */
  constructor(sink: FrameSink, onFree: () => void) {
    this.#sink = sink;
    this.#onFree = onFree;
    sink.on("drain", () => this.#change(() => this.#drained()));
  }

  get isBlocked(): boolean {
    return this.#isSinkFull || this.#unwrittenBytes >= unwrittenBytesMax;
  }

  write(frame: Buffer): void {
    this.#unwrittenBytes += frame.length;
    const isTaken = this.#sink.write(frame, () => this.#change(() => this.#written(frame.length)));
    if (!isTaken) this.#isSinkFull = true;
  }

  #drained(): void {
    this.#isSinkFull = false;
  }

  #written(byteCount: number): void {
    this.#unwrittenBytes -= byteCount;
  }

  #change(apply: () => void): void {
    const wasBlocked = this.isBlocked;
    apply();
    if (wasBlocked && !this.isBlocked) this.#onFree();
  }
}
