/**
 * Cuts a stream into messages. What a peer sends decides neither how much memory is held nor how long the work takes: one buffer of fixed size
 * for what is incomplete, and a length above the limit ends the stream before any of its bytes is waited for.
 *
 * A frame without a message is a sign of life and is passed over. Where nothing stands before a message (`none`), its end is found by
 * measuring it. After a fault the stream is out of step and every further byte is refused. Messages may hold card data: the buffer is
 * wiped behind each of them.
 */
import { assert } from "@florin/kernel";
import { type Framing, lengthBytes, messageBytesMaxOf, readLength } from "./framing.ts";

export type FramingFault = "bad_length" | "too_long" | "unreadable";

/** Bytes of the message that begins `bytes`; "more" when they do not hold all of it. */
export type MeasureMessage = (bytes: Uint8Array) => number | "more" | "unreadable";

export type SplitterOptions = {
  readonly framing: Framing;
  /** A longer message is a fault. */
  readonly messageBytesMax: number;
  /** Needed where nothing stands before a message. */
  readonly measure?: MeasureMessage;
};

export type Splitter = {
  /**
   * Takes the next bytes of the stream and calls `onMessage` for each message that they complete, in order. The message must not be kept: its
   * bytes are the chunk's or the buffer's. A fault when the stream cannot be read any further.
   */
  push(chunk: Uint8Array, onMessage: (message: Uint8Array) => void): FramingFault | undefined;
  /** Bytes of a message that is not complete yet. */
  readonly pendingBytes: number;
  /** Wipes what is incomplete, at the end of the stream. */
  end(): void;
};

export function createSplitter(options: SplitterOptions): Splitter {
  const { framing, messageBytesMax, measure } = options;
  assert(messageBytesMax <= messageBytesMaxOf(framing), "the header can announce the longest message");
  assert((framing.length === "none") === (measure !== undefined), "messages are measured where no length stands before them");
  const width = lengthBytes(framing.length);
  const skip = width + framing.preamble.length;
  /** Bytes of the frame at the start of `bytes`; 0 when more are needed to tell, or to have it whole. */
  const frameIn = (bytes: Uint8Array): number | FramingFault => {
    if (measure !== undefined) return measuredFrame(bytes.subarray(skip), skip, measure, messageBytesMax);
    if (bytes.length < width) return 0;
    const rest = readLength(framing, bytes, 0);
    // Nothing but the length: a sign of life. A preamble alone, or half of one, is none.
    if (rest !== 0 && rest < framing.preamble.length) return "bad_length";
    if (rest - framing.preamble.length > messageBytesMax) return "too_long";
    return bytes.length < width + rest ? 0 : width + rest;
  };
  return new BoundedSplitter(frameIn, skip, skip + messageBytesMax);
}

function measuredFrame(bytes: Uint8Array, skip: number, measure: MeasureMessage, messageBytesMax: number): number | FramingFault {
  const length = bytes.length === 0 ? "more" : measure(bytes);
  if (length === "more") return bytes.length >= messageBytesMax ? "too_long" : 0;
  if (length === "unreadable") return "unreadable";
  return length > messageBytesMax ? "too_long" : skip + length;
}

class BoundedSplitter implements Splitter {
  readonly #frameIn: (bytes: Uint8Array) => number | FramingFault;
  readonly #skip: number;
  /** Never in Node's shared pool: it may hold a card number. */
  readonly #pending: Buffer;
  #pendingBytes = 0;
  #fault: FramingFault | undefined;

  constructor(frameIn: (bytes: Uint8Array) => number | FramingFault, skip: number, frameBytesMax: number) {
    this.#frameIn = frameIn;
    this.#skip = skip;
    this.#pending = Buffer.allocUnsafeSlow(frameBytesMax);
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  push(chunk: Uint8Array, onMessage: (message: Uint8Array) => void): FramingFault | undefined {
    let rest = chunk;
    while (this.#fault === undefined && rest.length > 0) {
      if (this.#pendingBytes > 0) {
        rest = rest.subarray(this.#complete(rest, onMessage));
        continue;
      }
      const used = this.#take(rest, onMessage);
      if (used === 0) rest = rest.subarray(this.#keep(rest));
      else rest = rest.subarray(used);
    }
    if (this.#fault !== undefined) this.end();
    return this.#fault;
  }

  end(): void {
    this.#pending.fill(0, 0, this.#pendingBytes);
    this.#pendingBytes = 0;
  }

  /** Hands over the frame at the start of `bytes`. The bytes that it had; 0 when it is not whole, or the stream is at fault. */
  #take(bytes: Uint8Array, onMessage: (message: Uint8Array) => void): number {
    const frame = this.#frameIn(bytes);
    if (typeof frame === "string") {
      this.#fault = frame;
      return 0;
    }
    if (frame > this.#skip) onMessage(bytes.subarray(this.#skip, frame));
    return frame;
  }

  /** Keeps as much as may belong to the frame that has begun. */
  #keep(bytes: Uint8Array): number {
    if (this.#fault !== undefined) return 0;
    const count = Math.min(bytes.length, this.#pending.length - this.#pendingBytes);
    this.#pending.set(bytes.subarray(0, count), this.#pendingBytes);
    this.#pendingBytes += count;
    return count;
  }

  /** Adds to the frame that has begun and hands it over when it is whole. How many of `bytes` it took. */
  #complete(bytes: Uint8Array, onMessage: (message: Uint8Array) => void): number {
    const before = this.#pendingBytes;
    const taken = this.#keep(bytes);
    const used = this.#take(this.#pending.subarray(0, this.#pendingBytes), onMessage);
    if (used === 0) return taken;
    // What was taken beyond the frame is still in the chunk, and is read from there.
    this.end();
    return used - before;
  }
}
