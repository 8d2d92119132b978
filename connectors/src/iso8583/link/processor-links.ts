/**
 * Live links to one processor: requests go out over any link that is up, replies come back over any, and each request ends once.
 *
 * Invariants
 * - `not_sent` only if no byte was handed to a socket; from then on anything but a readable reply with the right code is `unknown`;
 * - no request is ever sent twice;
 * - a request whose number is under way waits for its end, within its deadline;
 * - whatever a processor sends, and whether or not a code can be made, neither ends the process nor leaves a request without its end;
 * - what was secret in a request is wiped when it is in the bytes, and the bytes when they have left;
 * - requests under way, waiting ones and bytes that the network does not take are bounded;
 * - where links are granted, no byte is written and no connection is open without a grant that is valid at that moment.
 */
import { assert } from "@florin/kernel";
import type { Timing } from "@florin/runtime/timing";
import { type IsoMessage, wipeMessage } from "../codec/message.ts";
import { chooseLane } from "./choose-lane.ts";
import { InFlight, type Trace, traceOf } from "./in-flight.ts";
import { Lane, type LaneAddress } from "./lane.ts";
import { type LeaseSettings, type LeaseStage, leaseStage } from "./lease.ts";
import { createLinkFrames, type Frame, type LinkFrames, measureWith, type WireProfile } from "./link-frames.ts";
import type { LinkEvent, LinkPhase, LinkSettings, NetworkRequest } from "./link-state.ts";
import { askedByProcessor, isAccepted, isReply, type NetworkProfile, networkReply, networkRequest } from "./network-messages.ts";
import { createTraceNumbers } from "./trace-numbers.ts";
import { type Guest, WaitingRoom } from "./waiting-room.ts";

export type LinkProfile = WireProfile & {
  readonly network: NetworkProfile;
  /** Fields that the processor repeats in its replies. */
  readonly echoed: readonly number[];
};

/** What happens beside answers; counted by whoever wants to. "unmade": a message of ours, for which there was no code, or an answer that does not fit. "unheard": an answer to who does not read. */
export type LinkNotice = "late" | "duplicate" | "stray" | "garbled" | "mac_wrong" | "unasked" | "unmade" | "unheard";

export type ProcessorLinksOptions = {
  readonly profile: LinkProfile;
  /** One link each. */
  readonly addresses: readonly LaneAddress[];
  readonly settings: LinkSettings;
  /** Undefined: this process may hold the links without asking. */
  readonly lease: (LeaseSettings & { /** ms on `timing`'s clock. */ readonly remainingMs: () => number }) | undefined;
  readonly inFlightMax: number;
  /** Requests that wait for their number to be free. */
  readonly waitingMax: number;
  /** How long late and duplicate replies are told apart, ms, and of how many requests. */
  readonly rememberedMs: number;
  readonly rememberedMax: number;
  /** Bytes that a socket may keep back before requests are refused. */
  readonly backlogBytesMax: number;
  readonly timing: Timing;
  readonly wallMs: () => number;
  readonly random: () => number;
  readonly onNotice?: (notice: LinkNotice) => void;
  /** A reply after the deadline of its request. The message is wiped when it returns. */
  readonly onLate?: (request: Trace, reply: IsoMessage) => void;
  readonly onPhase?: (link: number, phase: LinkPhase["kind"]) => void;
};

export type LinkAnswer =
  /** Whoever gets the message wipes it. */
  | { readonly kind: "answered"; readonly message: IsoMessage }
  | { readonly kind: "not_sent"; readonly cause: "not_connected" | "queue_full" | "deadline_exceeded" | "closing" }
  | { readonly kind: "unknown"; readonly cause: "timeout" | "connection_lost" | "garbage" | "mac_mismatch" };

export type ProcessorLinks = {
  /**
   * Sends a request and waits for its reply, at most until `deadlineAtMs` (ms since the epoch). Takes the message over and wipes what is secret in
   * it. Rejects only when the message does not fit the dialect, which is a bug of the caller.
   */
  exchange(message: IsoMessage, deadlineAtMs: number): Promise<LinkAnswer>;
  /** Sends an echo over a link that is up. */
  echo(deadlineAtMs: number): Promise<LinkAnswer>;
  /** True when at least one link is signed on. */
  isUp(): boolean;
  readonly inFlight: number;
  /** Refuses new requests, waits for those under way (their deadlines bound it), signs off, disconnects. */
  close(): Promise<void>;
};

export const sweepMs = 20;
/** Codes under check beside one for each request: late replies, copies, and what a processor asks by itself. */
const checksBesideMax = 64;
/** What a lease tells each link. While it only takes no more requests, links stay as they are. */
const leaseEvents: Readonly<Record<LeaseStage, LinkEvent | undefined>> = {
  held: { kind: "granted" },
  ending: undefined,
  last: { kind: "revoked" },
  over: { kind: "expired" },
};

type Request = {
  readonly trace: Trace;
  /** Of a payment: what ends it. Of a message about the link: undefined, or who asked for an echo. */
  readonly settle: ((answer: LinkAnswer) => void) | undefined;
  /** The message does not fit the dialect: a bug of whoever made it. */
  readonly fail: (bug: unknown) => void;
  readonly network: NetworkRequest | undefined;
  lane: Lane | undefined;
  isSent: boolean;
  isSettled: boolean;
};
type Waiting = Guest & { readonly message: IsoMessage; readonly request: Request };

export function createProcessorLinks(options: ProcessorLinksOptions): ProcessorLinks {
  assert(options.addresses.length > 0, "a processor has at least one address");
  return new Links(options);
}

class Links implements ProcessorLinks {
  readonly #options: ProcessorLinksOptions;
  readonly #lanes: readonly Lane[];
  readonly #frames: LinkFrames;
  readonly #requests: InFlight<Request>;
  readonly #waiting: WaitingRoom<Waiting>;
  readonly #numbers: ReturnType<typeof createTraceNumbers>;
  readonly #ownNumbers = new Set<string>();
  /** Payments that have not ended, the waiting ones among them. */
  #payments = 0;
  /** Messages whose code is being checked. */
  #checks = 0;
  #isClosing = false;
  /** New requests are taken: there is a lease, or none is needed. */
  #isTaking: boolean;
  #whenQuiet: (() => void)[] = [];
  #whenClosed: (() => void)[] = [];
  #stopTicking: () => void;

  constructor(options: ProcessorLinksOptions) {
    this.#options = options;
    const { inFlightMax, rememberedMs, rememberedMax, profile, settings, lease, timing, random } = options;
    this.#isTaking = lease === undefined;
    const mayWrite = lease === undefined ? undefined : () => lease.remainingMs() > 0;
    this.#frames = createLinkFrames(profile);
    this.#waiting = new WaitingRoom(options.waitingMax);
    this.#requests = new InFlight({ inFlightMax, rememberedMs, rememberedMax });
    this.#numbers = createTraceNumbers(1 + Math.floor(random() * 999_999));
    this.#lanes = options.addresses.map((address, index) => {
      const { framing, messageBytesMax } = profile;
      return new Lane({
        ...{ address, framing, messageBytesMax, settings, mayWrite, random },
        ...(framing.length === "none" ? { measure: measureWith(profile.dialect) } : {}),
        timing,
        onMessage: (lane, bytes) => this.#onMessage(lane, bytes),
        onNetworkRequest: (lane, request) => this.#sendNetwork(lane, request, undefined, this.#nowMs() + settings.networkTimeoutMs),
        onLost: (lane, cause) => this.#onLost(lane, cause),
        onPhase: (_lane, phase) => this.#onPhase(index, phase),
      });
    });
    this.#stopTicking = timing.after(0, () => this.#tick());
  }

  get inFlight(): number {
    return this.#payments;
  }

  isUp(): boolean {
    return this.#isTaking && this.#lanes.some((lane) => lane.phase === "up");
  }

  exchange(message: IsoMessage, deadlineAtMs: number): Promise<LinkAnswer> {
    const deadlineMs = this.#deadlineOf(deadlineAtMs);
    if (this.#isClosing) return refuse(message, "closing");
    if (deadlineMs <= this.#nowMs()) return refuse(message, "deadline_exceeded");
    return new Promise((resolve, reject) => {
      this.#payments += 1;
      const trace = traceOf(message, this.#options.profile.echoed);
      const request: Request = {
        trace,
        settle: resolve,
        fail: reject,
        network: undefined,
        lane: undefined,
        isSent: false,
        isSettled: false,
      };
      this.#place({ trace, message, request, deadlineMs });
    });
  }

  echo(deadlineAtMs: number): Promise<LinkAnswer> {
    const lane = this.#laneForNext();
    if (lane === undefined) return Promise.resolve({ kind: "not_sent", cause: "not_connected" });
    return new Promise((resolve) => this.#sendNetwork(lane, "echo", resolve, this.#deadlineOf(deadlineAtMs)));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#payments > 0) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
    for (const lane of this.#lanes) lane.handle({ kind: "close" });
    if (!this.#areClosed()) await new Promise<void>((resolve) => this.#whenClosed.push(resolve));
    this.#stopTicking();
  }

  #nowMs(): number {
    return this.#options.timing.monotonicMs();
  }

  /** On the clock that never jumps. */
  #deadlineOf(deadlineAtMs: number): number {
    return this.#nowMs() + deadlineAtMs - this.#options.wallMs();
  }

  #areClosed(): boolean {
    return this.#lanes.every((lane) => lane.phase === "closed");
  }

  #ended(): void {
    this.#payments -= 1;
    if (this.#payments === 0) for (const quiet of this.#whenQuiet.splice(0)) quiet();
  }

  #laneForNext(): Lane | undefined {
    return this.#isTaking ? chooseLane(this.#lanes, this.#options.random) : undefined;
  }

  /** Sends it, lets it wait for its number, or refuses it. */
  #place(waiting: Waiting): void {
    const lane = this.#laneForNext();
    if (lane === undefined) this.#refuse(waiting, "not_connected");
    else if (lane.backlogBytes > this.#options.backlogBytesMax) this.#refuse(waiting, "queue_full");
    else this.#admit(lane, waiting);
  }

  #admit(lane: Lane, waiting: Waiting): void {
    const { trace, message, request, deadlineMs } = waiting;
    const added = this.#requests.add(trace, request, deadlineMs);
    if (added === "added") {
      request.lane = lane;
      this.#send(lane, message, request);
    } else if (added !== "clash" || !this.#waiting.add(waiting)) this.#refuse(waiting, "queue_full");
  }

  #refuse({ message, request }: Waiting, cause: "not_connected" | "queue_full" | "deadline_exceeded"): void {
    wipeMessage(message);
    this.#end(request, { kind: "not_sent", cause });
  }

  /** Ends a request. Safe to repeat: the first answer counts. */
  #end(request: Request, answer: LinkAnswer): void {
    this.#close(request, () => request.settle?.(answer));
  }

  #close(request: Request, tell: () => void): void {
    if (request.isSettled) return;
    request.isSettled = true;
    if (request.network === undefined) this.#ended();
    else this.#ownNumbers.delete(request.trace.stan);
    tell();
    // Whoever waits for this number may go.
    const next = this.#waiting.takeFor(request.trace);
    if (next !== undefined) this.#place(next);
  }

  #send(lane: Lane, message: IsoMessage, request: Request): void {
    // Who needs no code need not wait for one.
    if (this.#frames.isSealed(message)) {
      void this.#sendSealed(lane, message, request);
      return;
    }
    let frame: Frame;
    try {
      frame = this.#frames.pack(message);
    } catch (bug) {
      this.#giveUp(request, bug);
      return;
    }
    this.#hand(lane, frame, request);
  }

  async #sendSealed(lane: Lane, message: IsoMessage, request: Request): Promise<void> {
    let frame: Frame | undefined;
    try {
      frame = await this.#frames.seal(message);
    } catch (bug) {
      return this.#giveUp(request, bug);
    }
    if (frame !== undefined) return this.#hand(lane, frame, request);
    this.#notice("unmade");
    this.#takeBack(request);
  }

  /** A message that does not fit the dialect is a bug of whoever asked for it. */
  #giveUp(request: Request, bug: unknown): void {
    this.#requests.withdraw(request.trace);
    this.#close(request, () => request.fail(bug));
  }

  /** Nothing of it was sent. */
  #takeBack(request: Request): void {
    this.#requests.withdraw(request.trace);
    this.#end(request, { kind: "not_sent", cause: "not_connected" });
  }

  #hand(lane: Lane, frame: Frame, request: Request): void {
    // While the code was made the deadline may have passed, or the link may be gone.
    if (request.isSettled) {
      frame.release();
      return;
    }
    request.isSent = lane.write(frame.bytes, frame.release);
    if (request.isSent) return;
    frame.release();
    this.#takeBack(request);
  }

  #sendNetwork(lane: Lane, network: NetworkRequest, settle: Request["settle"], deadlineMs: number): void {
    const { profile, wallMs } = this.#options;
    const stan = this.#numbers.next((number) => this.#ownNumbers.has(number));
    assert(stan !== undefined, "fewer messages about links are under way than there are numbers");
    const message = networkRequest(profile.network, network, { stan, wallMs: wallMs() });
    const trace = traceOf(message, profile.echoed);
    const fail = (bug: unknown) => {
      throw bug;
    };
    const request: Request = { trace, settle, fail, network, lane, isSent: false, isSettled: false };
    // Where the processor's own numbers are taken by late ones: whatever is under way shows that the link lives, or runs into its own deadline.
    if (this.#requests.add(trace, request, deadlineMs) !== "added") {
      this.#end(request, { kind: "not_sent", cause: "queue_full" });
      return;
    }
    this.#ownNumbers.add(stan);
    this.#send(lane, message, request);
  }

  #onMessage(lane: Lane, bytes: Uint8Array): void {
    const decoded = this.#frames.unpack(bytes);
    if (decoded.kind === "refused") {
      this.#notice("garbled");
      if (decoded.readable !== undefined && isReply(decoded.readable))
        this.#answer(decoded.readable, { kind: "unknown", cause: "garbage" });
      return;
    }
    const { message } = decoded;
    if (!this.#frames.isSealed(message)) this.#heard(lane, message);
    else if (this.#checks < this.#options.inFlightMax + checksBesideMax) void this.#hearChecked(lane, message, bytes);
    else {
      // More than can be replies: while a security module is slow, nobody on the wire fills our memory. A reply among them runs into its deadline.
      this.#notice("stray");
      wipeMessage(message);
    }
  }

  async #hearChecked(lane: Lane, message: IsoMessage, bytes: Uint8Array): Promise<void> {
    this.#checks += 1;
    const isRight = await this.#frames.hasRightCode(bytes, message).finally(() => {
      this.#checks -= 1;
    });
    if (isRight) return this.#heard(lane, message);
    this.#notice("mac_wrong");
    wipeMessage(message);
    if (isReply(message)) this.#answer(message, { kind: "unknown", cause: "mac_mismatch" });
  }

  #heard(lane: Lane, message: IsoMessage): void {
    const { network } = this.#options.profile;
    lane.handle({ kind: "heard" });
    if (isReply(message)) {
      this.#answer(message, { kind: "answered", message });
      return;
    }
    const asked = askedByProcessor(network, message);
    wipeMessage(message);
    if (asked === undefined) {
      this.#notice("unasked");
      return;
    }
    void this.#reply(lane, networkReply(network, message)).then(() => {
      if (asked === "sign_off") lane.handle({ kind: "dismissed" });
    });
  }

  /** Hands `answer` to the request that `message` replies to. */
  #answer(message: IsoMessage, answer: LinkAnswer): void {
    const recognised = this.#requests.recognise(message, this.#nowMs());
    if (recognised.kind !== "answer") {
      this.#notice(recognised.kind);
      if (recognised.kind === "late" && answer.kind === "answered") this.#options.onLate?.(recognised.request.trace, message);
      wipeMessage(message);
      return;
    }
    const { request } = recognised;
    this.#end(request, answer);
    if (request.network === undefined) return;
    wipeMessage(message);
    const isAgreed = answer.kind === "answered" && isAccepted(this.#options.profile.network, message);
    request.lane?.handle({ kind: "replied", to: request.network, isAccepted: isAgreed });
  }

  /** What cannot be made is left out and counted: whatever a processor asks for, it does not end this process. */
  async #reply(lane: Lane, message: IsoMessage): Promise<void> {
    // Who asks and does not listen is owed no memory. Its requests need no code, so it may be anybody on the wire.
    if (lane.backlogBytes > this.#options.backlogBytesMax) return this.#notice("unheard");
    const frame = await this.#frameOf(message).catch(() => undefined);
    if (frame === undefined) this.#notice("unmade");
    else if (!lane.write(frame.bytes, frame.release)) frame.release();
  }

  async #frameOf(message: IsoMessage): Promise<Frame | undefined> {
    return this.#frames.isSealed(message) ? this.#frames.seal(message) : this.#frames.pack(message);
  }

  #onLost(lane: Lane, cause: "connection_lost" | "garbage"): void {
    for (const request of this.#requests.lose((one) => one.lane === lane, this.#nowMs()))
      this.#end(request, request.isSent ? { kind: "unknown", cause } : { kind: "not_sent", cause: "not_connected" });
  }

  #onPhase(index: number, phase: LinkPhase["kind"]): void {
    this.#options.onPhase?.(index, phase);
    if (phase === "closed" && this.#areClosed()) for (const closed of this.#whenClosed.splice(0)) closed();
  }

  #notice(notice: LinkNotice): void {
    this.#options.onNotice?.(notice);
  }

  #heedLease(): void {
    const { lease } = this.#options;
    if (lease === undefined) return;
    const stage = leaseStage(lease, lease.remainingMs(), this.#payments === 0);
    this.#isTaking = stage === "held";
    const event = leaseEvents[stage];
    if (event !== undefined) for (const lane of this.#lanes) lane.handle(event);
  }

  #tick(): void {
    const nowMs = this.#nowMs();
    for (const request of this.#requests.expire(nowMs))
      this.#end(request, request.isSent ? { kind: "unknown", cause: "timeout" } : { kind: "not_sent", cause: "deadline_exceeded" });
    for (const waiting of this.#waiting.takeOverdue(nowMs)) this.#refuse(waiting, "deadline_exceeded");
    this.#heedLease();
    for (const lane of this.#lanes) lane.handle({ kind: "tick" });
    this.#stopTicking = this.#options.timing.after(sweepMs, () => this.#tick());
  }
}

function refuse(message: IsoMessage, cause: "closing" | "deadline_exceeded"): Promise<LinkAnswer> {
  wipeMessage(message);
  return Promise.resolve({ kind: "not_sent", cause });
}
