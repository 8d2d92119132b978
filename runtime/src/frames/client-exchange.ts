/**
 * The client's side of one frame stream: correlation, the bound, flushing, deadlines, cancellation, loss.
 *
 * Invariants
 * - requests are encoded with the others of their turn: who calls does not change a message afterwards;
 * - a frame leaves at the end of the event-loop turn, never by a timer; while the stream pushes back (outlet.ts) nothing
 *   is encoded, commands wait in `#queue`, and the bound counts them;
 * - every command is settled exactly once; one that never left is `not_done`, one that left and has no answer is `unknown`;
 * - an answer to a command that is not in flight is ignored (its deadline passed, or it was cancelled).
 *
 * Not here: opening and re-opening streams (link.ts), message bodies (rpc).
 */
import { AppError } from "@florin/kernel";
import type { ClientDuplexStream, StatusObject } from "@grpc/grpc-js";
import { type BodyEncoder, encodeEach } from "./batch-encoder.ts";
import { bytesOf, RequestFrameWriter, readResponseFrame } from "./codec.ts";
import { DeadlineSweep } from "./deadline-sweep.ts";
import { fromFault } from "./fault.ts";
import { bodyBytesMax, commandsPerFrameMax, frameBytesSoftMax, goingAwayId, methodsPerFrameMax } from "./limits.ts";
import { FrameOutlet } from "./outlet.ts";

/** A command from its submission until it is settled. */
export type PendingCommand = {
  readonly id: number;
  readonly method: string;
  /** The request; encoded with the others of its turn. */
  readonly value: unknown;
  readonly encoder: BodyEncoder<unknown>;
  /** Once encoded. */
  body: Uint8Array | undefined;
  readonly traceparent: string;
  /** On the scale of performance.now(). */
  readonly deadlineMs: number;
  readonly resolve: (body: Uint8Array) => void;
  readonly reject: (fault: AppError) => void;
  /** Handed to the stream: from here on its work is unknown until answered. */
  isSent: boolean;
  isSettled: boolean;
  /** Stops listening to the caller's abort signal. */
  unwatch: (() => void) | undefined;
};

export type ClientExchangeOptions = {
  readonly stream: ClientDuplexStream<Buffer, Buffer>;
  /** The peer's address, for messages. */
  readonly address: string;
  /** The peer accepted the stream. */
  readonly onOpen: () => void;
  /** A frame with so many commands has been written. */
  readonly onFrame: (commandCount: number) => void;
  /** The peer wants no more commands here. */
  readonly onGoingAway: () => void;
  /** The stream is over and every command settled. */
  readonly onEnd: (status: Pick<StatusObject, "code" | "details">) => void;
};

/** Settled commands that may stay in the queue before it is swept. */
const queueSlackMax = 1_024;

export class ClientExchange {
  readonly #options: ClientExchangeOptions;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  readonly #pending = new Map<number, PendingCommand>();
  readonly #outlet: FrameOutlet;
  readonly #writer = new RequestFrameWriter();
  /** Indexes of the method names in the frame being written. */
  readonly #methodIndexes = new Map<string, number>();
  readonly #sweep = new DeadlineSweep((nowMs) => this.#expire(nowMs));
  #queue: PendingCommand[] = [];
  #isFlushPlanned = false;
  #isDraining = false;
  #isHalfClosed = false;
  #isEnded = false;
  #wasOpened = false;

  constructor(options: ClientExchangeOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.#outlet = new FrameOutlet(options.stream, () => this.#planFlush());
    const { stream } = options;
    stream.on("metadata", () => {
      this.#wasOpened = true;
      options.onOpen();
    });
    stream.on("data", (frame: Buffer) => this.#onFrame(frame));
    // The same news arrives as `status`, which a clean end has too.
    stream.on("error", () => {});
    stream.on("status", (status: StatusObject) => this.#onStatus(status));
  }

  /** Commands that are queued or sent and have no answer yet. */
  get inFlight(): number {
    return this.#pending.size;
  }

  /** The peer accepted the stream at some time. */
  get wasOpened(): boolean {
    return this.#wasOpened;
  }

  submit(command: PendingCommand): void {
    this.#pending.set(command.id, command);
    this.#queue.push(command);
    // While the stream pushes back, settled commands must not pile up in the queue: it stays in proportion to the bound.
    if (this.#queue.length > 2 * this.#pending.size + queueSlackMax) this.#queue = this.#queue.filter((queued) => !queued.isSettled);
    this.#sweep.watch(command.deadlineMs);
    this.#planFlush();
  }

  /** Stops waiting. The peer is told by a message in the next frame; a command that never left is simply dropped. */
  cancel(command: PendingCommand): void {
    if (command.isSettled) return;
    if (command.isSent) {
      this.#writer.addCancel(command.id);
      this.#planFlush();
    }
    const work = command.isSent ? "unknown" : "not_done";
    this.#settle(command).reject(new AppError("cancelled", "the caller gave up", { work }));
  }

  /** Sends no more after what is in flight; half-closes the stream when the last command is settled. */
  drain(): void {
    this.#isDraining = true;
    this.#endIfDone();
  }

  /** Gives up the stream now: what is in flight becomes peer_lost. */
  destroy(): void {
    this.#stream.cancel();
  }

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#outlet.isBlocked) return;
    this.#isFlushPlanned = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    if (this.#isEnded || this.#isHalfClosed) return;
    const nowMs = performance.now();
    let position = 0;
    while ((position < this.#queue.length || !this.#writer.isEmpty) && !this.#outlet.isBlocked) {
      this.#encodeFrom(position);
      position = this.#fillFrame(position, nowMs);
      // Empty when all that could have gone was settled meanwhile.
      if (this.#writer.isEmpty) continue;
      if (this.#writer.commandCount > 0) this.#options.onFrame(this.#writer.commandCount);
      this.#outlet.write(this.#writer.take());
      this.#methodIndexes.clear();
    }
    this.#queue = position === this.#queue.length ? [] : this.#queue.slice(position);
    this.#endIfDone();
  }

  /** Encodes the commands that one frame may take from `position` on. */
  #encodeFrom(position: number): void {
    const commands: PendingCommand[] = [];
    const end = Math.min(this.#queue.length, position + commandsPerFrameMax);
    for (let index = position; index < end; index += 1) {
      const command = this.#queue[index];
      if (command !== undefined && !command.isSettled && command.body === undefined) commands.push(command);
    }
    encodeEach<unknown, PendingCommand>(commands, (command, body) => {
      if (body instanceof Error) this.#refuse(command, "internal", "cannot be encoded", body);
      else if (body.length > bodyBytesMax) this.#refuse(command, "body_too_large", `is larger than ${bodyBytesMax} bytes`);
      else command.body = body;
    });
  }

  #refuse(command: PendingCommand, code: "internal" | "body_too_large", why: string, cause?: Error): void {
    this.#settle(command).reject(new AppError(code, `the request of ${command.method} ${why}`, { work: "not_done", cause }));
  }

  /** Writes commands from `position` on until the frame is full; returns the position of the first one left. */
  #fillFrame(from: number, nowMs: number): number {
    let position = from;
    for (; position < this.#queue.length; position += 1) {
      const command = this.#queue[position];
      if (command === undefined || command.isSettled) continue;
      if (command.body === undefined) break;
      if (this.#writer.commandCount >= commandsPerFrameMax || this.#writer.byteCount >= frameBytesSoftMax) break;
      const timeoutMs = Math.ceil(command.deadlineMs - nowMs);
      if (timeoutMs <= 0) {
        this.#expireOne(command);
        continue;
      }
      const method = this.#methodIndex(command.method);
      if (method === undefined) break;
      this.#writer.addCommand(command.id, method, timeoutMs, command.traceparent, command.body);
      command.isSent = true;
    }
    return position;
  }

  /** Undefined when the frame has no room for another name. */
  #methodIndex(name: string): number | undefined {
    const known = this.#methodIndexes.get(name);
    if (known !== undefined) return known;
    if (this.#writer.methodCount >= methodsPerFrameMax) return undefined;
    const index = this.#writer.addMethod(name);
    this.#methodIndexes.set(name, index);
    return index;
  }

  #onFrame(frame: Buffer): void {
    try {
      readResponseFrame(bytesOf(frame), (id, body, fault) => {
        if (id === goingAwayId) return this.#options.onGoingAway();
        const command = this.#pending.get(id);
        if (command === undefined) return;
        if (fault === undefined) this.#settle(command).resolve(body);
        else this.#settle(command).reject(fromFault(fault));
      });
    } catch {
      // A peer that sends malformed frames cannot be trusted with the rest: what is in flight is unknown.
      this.destroy();
    }
    if (this.#isDraining) this.#endIfDone();
  }

  #settle(command: PendingCommand): PendingCommand {
    command.isSettled = true;
    command.unwatch?.();
    this.#pending.delete(command.id);
    return command;
  }

  #expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const command of this.#pending.values()) {
      if (command.deadlineMs <= nowMs) this.#expireOne(command);
      else if (command.deadlineMs < nextMs) nextMs = command.deadlineMs;
    }
    if (this.#isDraining) this.#endIfDone();
    return nextMs;
  }

  #expireOne(command: PendingCommand): void {
    const work = command.isSent ? "unknown" : "not_done";
    this.#settle(command).reject(new AppError("deadline_exceeded", `no answer to ${command.method} in time`, { work }));
  }

  #endIfDone(): void {
    if (!this.#isDraining || this.#isHalfClosed || this.#isEnded || this.#pending.size > 0) return;
    this.#isHalfClosed = true;
    this.#stream.end();
  }

  #onStatus(status: StatusObject): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#sweep.stop();
    for (const command of this.#pending.values()) {
      const fault = command.isSent
        ? new AppError("peer_lost", `the stream to ${this.#options.address} was lost`, { work: "unknown" })
        : new AppError("unavailable", `not connected to ${this.#options.address}`, { work: "not_done" });
      command.isSettled = true;
      command.unwatch?.();
      command.reject(fault);
    }
    this.#pending.clear();
    this.#queue = [];
    this.#options.onEnd({ code: status.code, details: status.details });
  }
}
