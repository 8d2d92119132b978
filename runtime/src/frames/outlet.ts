/**
 * Writing frames with backpressure: says when to stop and when to go on.
 *
 * grpc-js counts messages (`write` says false from 16 on), which for frames of hundreds of kilobytes would be megabytes of memory; so the
 * bytes handed over and not yet taken by HTTP/2 are counted too. Who writes although it is blocked loses nothing, but breaks the bound.
 *
 * A secret frame is wiped when it was written, and so is the copy of it that grpc-js makes behind a head of its own.
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
  /** Secret frames that are not written yet; each wipes itself and its copies. */
  readonly #unwrittenSecrets = new Set<() => void>();

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

  writeSecret(frame: Buffer): void {
    const wipe = wiperOf(frame);
    this.#unwrittenSecrets.add(wipe);
    this.#unwrittenBytes += frame.length;
    const onWritten = () => {
      this.#unwrittenSecrets.delete(wipe);
      wipe();
      this.#change(() => this.#written(frame.length));
    };
    if (!this.#sink.write(frame, onWritten)) this.#isSinkFull = true;
  }

  /** When the sink is over: what it did not take leaves nothing behind. */
  wipeSecrets(): void {
    for (const wipe of this.#unwrittenSecrets) wipe();
    this.#unwrittenSecrets.clear();
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

/** Wipes the frame and what was copied from it by its own `copy`, which is how grpc-js puts a message behind its head. */
function wiperOf(frame: Buffer): () => void {
  const copies: Uint8Array[] = [];
  frame.copy = (target, ...range) => {
    copies.push(target);
    return Buffer.prototype.copy.call(frame, target, ...range);
  };
  return () => {
    frame.fill(0);
    for (const copy of copies) copy.fill(0);
  };
}
