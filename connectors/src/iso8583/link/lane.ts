/**
 * One connection to a processor at a time: a socket, a splitter, and the phase that `link-state.ts` decides. Does what that table says, tells what
 * it hears, and knows nothing about payments.
 *
 * What is written in one turn of the event loop leaves together: handing bytes to the operating system costs as much as all the rest of a message.
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { Timing } from "@florin/runtime/timing";
import { giveBack, takeBuffer } from "../../http1/request-buffer.ts";
import type { Framing } from "../framing/framing.ts";
import { createSplitter, type MeasureMessage, type Splitter } from "../framing/splitter.ts";
import { firstPhase, type LinkEvent, type LinkPhase, type LinkSettings, type NetworkRequest, stepLink } from "./link-state.ts";

export type LaneAddress = {
  readonly host: string;
  readonly port: number;
  /** Undefined: plain TCP. */
  readonly tls: Pick<ConnectionOptions, "ca" | "cert" | "key" | "servername"> | undefined;
};

export type LaneOptions = {
  readonly address: LaneAddress;
  readonly framing: Framing;
  readonly messageBytesMax: number;
  readonly measure?: MeasureMessage;
  readonly settings: LinkSettings;
  /** Undefined: nobody has to allow it. Otherwise it begins idle, and asks before every write. */
  readonly mayWrite: (() => boolean) | undefined;
  /** A clock that never jumps. */
  readonly timing: Pick<Timing, "monotonicMs" | "atTurnEnd">;
  readonly random: () => number;
  /** The bytes are overwritten when it returns. */
  readonly onMessage: (lane: Lane, message: Uint8Array) => void;
  readonly onNetworkRequest: (lane: Lane, request: NetworkRequest) => void;
  /** The connection is gone, with whatever was under way on it. */
  readonly onLost: (lane: Lane, cause: "connection_lost" | "garbage") => void;
  readonly onPhase: (lane: Lane, phase: LinkPhase["kind"]) => void;
};

type Outgoing = { readonly bytes: Uint8Array; readonly onTaken: () => void };
const outgoingBytesMax = 65_536;
/** Messages; after that another link takes its share. */
const companyMax = 8;

export class Lane {
  readonly #options: LaneOptions;
  #phase: LinkPhase;
  #socket: Socket | undefined;
  #lossCause: "connection_lost" | "garbage" = "connection_lost";
  /** Of this turn, in order. */
  #outgoing: Outgoing[] = [];
  #outgoingBytes = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#phase = options.mayWrite === undefined ? firstPhase : { kind: "idle" };
  }

  get phase(): LinkPhase["kind"] {
    return this.#phase.kind;
  }

  /** Bytes that the operating system has not taken yet. */
  get backlogBytes(): number {
    return this.#outgoingBytes + (this.#socket?.writableLength ?? 0);
  }

  /** Something leaves in this turn, and there is room beside it: what joins it costs next to nothing. */
  get hasCompany(): boolean {
    return this.#outgoing.length > 0 && this.#outgoing.length < companyMax;
  }

  handle(event: LinkEvent): void {
    const { settings, timing, random } = this.#options;
    const before = this.#phase.kind;
    const { phase, effects } = stepLink(settings, this.#phase, event, { nowMs: timing.monotonicMs(), random: random() });
    this.#phase = phase;
    for (const effect of effects) {
      if (effect === "connect") this.#connect();
      else if (effect === "disconnect") this.#disconnect();
      else this.#options.onNetworkRequest(this, effect);
    }
    if (phase.kind !== before) this.#options.onPhase(this, phase.kind);
  }

  /**
   * Takes a framed message for the socket; false when there is none, or when we may not write. From here on it counts as sent. `onTaken`: the bytes are
   * not needed any more.
   */
  write(bytes: Uint8Array, onTaken: () => void): boolean {
    if (this.#socket === undefined || this.#options.mayWrite?.() === false) return false;
    if (this.#outgoingBytes + bytes.length > outgoingBytesMax) this.#flush();
    if (this.#outgoing.length === 0) this.#options.timing.atTurnEnd(() => this.#flush());
    this.#outgoing.push({ bytes, onTaken });
    this.#outgoingBytes += bytes.length;
    return true;
  }

  /** Safe to repeat. What may not be written any more, or to nobody, is let go: it counts as sent, and its requests end with the connection. */
  #flush(): void {
    const outgoing = this.#outgoing;
    const length = this.#outgoingBytes;
    if (length === 0) return;
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    const socket = this.#options.mayWrite?.() === false ? undefined : this.#socket;
    const batch = socket === undefined ? undefined : takeBuffer(length);
    let at = 0;
    for (const { bytes, onTaken } of outgoing) {
      batch?.set(bytes, at);
      at += bytes.length;
      onTaken();
    }
    if (batch !== undefined) socket?.write(batch.subarray(0, length), () => giveBack(batch, length));
  }

  #connect(): void {
    const { address, framing, messageBytesMax, measure } = this.#options;
    const { host, port, tls } = address;
    const names = isIP(host) === 0 ? { servername: host } : {};
    const socket = tls === undefined ? connectTcp({ host, port, noDelay: true }) : connectTls({ host, port, ...names, ...tls });
    socket.setNoDelay(true);
    this.#socket = socket;
    const splitter = createSplitter({ framing, messageBytesMax, ...(measure === undefined ? {} : { measure }) });
    // A socket that was given up may still speak: nobody listens.
    const ifCurrent = (run: () => void) => () => {
      if (this.#socket === socket) run();
    };
    socket.once(
      tls === undefined ? "connect" : "secureConnect",
      ifCurrent(() => this.handle({ kind: "connected" })),
    );
    socket.on("data", (chunk: Buffer) => ifCurrent(() => this.#read(chunk, splitter))());
    const lost = ifCurrent(() => this.#lose("connection_lost"));
    socket.once("end", lost);
    socket.on("error", lost);
    socket.once("close", () => {
      splitter.end();
      lost();
    });
  }

  #read(chunk: Buffer, splitter: Splitter): void {
    const fault = splitter.push(chunk, (message) => this.#options.onMessage(this, message));
    // A reply may repeat a card number.
    chunk.fill(0);
    // Out of step: nothing that follows can be told apart.
    if (fault !== undefined) this.#lose("garbage");
  }

  /** Phases with a socket answer a loss with `disconnect`, after which nothing is sent here any more. */
  #lose(cause: "connection_lost" | "garbage"): void {
    this.#lossCause = cause;
    this.handle({ kind: "lost" });
  }

  /** Safe to repeat. */
  #disconnect(): void {
    const cause = this.#lossCause;
    this.#lossCause = "connection_lost";
    const socket = this.#socket;
    if (socket === undefined) return;
    // A farewell of this turn.
    this.#flush();
    this.#socket = undefined;
    socket.destroy();
    this.#options.onLost(this, cause);
  }
}
