/**
 * Live links to one processor: requests go out over any link that is up, replies come back over any, and each request ends once.
 *
 * Invariants
 * - `not_sent` only if no byte was handed to a socket; from then on anything but a readable reply with the right code is `unknown`;
 * - no request is ever sent twice;
 * - a request whose number is under way waits for its end, within its deadline;
 * - what was secret in a request is wiped when it is in the bytes, and the bytes when they have left;
 * - requests under way, waiting ones and bytes that the network does not take are bounded;
 * - where links are granted, no byte is written and no connection is open without a grant that is valid at that moment.
 */
import { assert } from "@florin/kernel";
import type { Timing } from "@florin/runtime/timing";
import { giveBack, takeBuffer } from "../../http1/request-buffer.ts";
import { decodeMessage } from "../codec/decode.ts";
import type { Dialect } from "../codec/dialect.ts";
import { type Encoded, encodeMessage } from "../codec/encode.ts";
import { describeFault } from "../codec/fault.ts";
import { type IsoMessage, wipeMessage } from "../codec/message.ts";
import { type Framing, headerBytes, writeHeader } from "../framing/framing.ts";
import { checkMac, encodeSealed, type MakeMac } from "../mac/seal.ts";
import { InFlight, type Trace, traceOf } from "./in-flight.ts";
import { Lane, type LaneAddress } from "./lane.ts";
import { type LeaseSettings, type LeaseStage, leaseStage } from "./lease.ts";
import type { LinkEvent, LinkPhase, LinkSettings, NetworkRequest } from "./link-state.ts";
import { askedByProcessor, isAccepted, isReply, type NetworkProfile, networkReply, networkRequest } from "./network-messages.ts";
import { createTraceNumbers } from "./trace-numbers.ts";

export type LinkProfile = {
  readonly dialect: Dialect;
  readonly framing: Framing;
  readonly messageBytesMax: number;
  readonly network: NetworkProfile;
  /** Fields that the processor repeats in its replies. */
  readonly echoed: readonly number[];
  /** `classes`: second digits of the message types that carry a code. */
  readonly mac: { readonly makeMac: MakeMac; readonly classes: string } | undefined;
};

/** What happens beside answers; counted by whoever wants to. */
export type LinkNotice = "late" | "duplicate" | "stray" | "garbled" | "mac_wrong" | "unasked";

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
  | { readonly kind: "not_sent"; readonly cause: "not_connected" | "overloaded" | "deadline_exceeded" | "closing" }
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
/** What a lease tells each link. While it only takes no more requests, links stay as they are. */
const leaseEvents: Readonly<Record<LeaseStage, LinkEvent | undefined>> = {
  held: { kind: "granted" },
  ending: undefined,
  last: { kind: "revoked" },
  over: { kind: "expired" },
};
const bufferBytes = 4_096;

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
type Waiting = { readonly message: IsoMessage; readonly request: Request; readonly deadlineMs: number };

export function createProcessorLinks(options: ProcessorLinksOptions): ProcessorLinks {
  assert(options.addresses.length > 0, "a processor has at least one address");
  assert(headerBytes(options.profile.framing) + options.profile.messageBytesMax <= bufferBytes, "a message and its header fit a buffer");
  return new Links(options);
}

class Links implements ProcessorLinks {
  readonly #options: ProcessorLinksOptions;
  readonly #lanes: readonly Lane[];
  readonly #requests: InFlight<Request>;
  #waiting: Waiting[] = [];
  readonly #numbers: ReturnType<typeof createTraceNumbers>;
  readonly #ownNumbers = new Set<string>();
  /** Payments that have not ended, the waiting ones among them. */
  #payments = 0;
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
      this.#place({ message, request, deadlineMs });
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

  /** A link that writes in this turn anyway, else the one that keeps back least. */
  #laneForNext(): Lane | undefined {
    if (!this.#isTaking) return undefined;
    const company = this.#lanes.find((lane) => lane.hasCompany && lane.phase === "up");
    if (company !== undefined) return company;
    let best: Lane | undefined;
    // From a link by chance on, so that equals share.
    const start = Math.floor(this.#options.random() * this.#lanes.length);
    for (let step = 0; step < this.#lanes.length; step++) {
      const lane = this.#lanes[(start + step) % this.#lanes.length] as Lane;
      if (lane.phase === "up" && (best === undefined || lane.backlogBytes < best.backlogBytes)) best = lane;
    }
    return best;
  }

  /** Sends it, lets it wait for its number, or refuses it. */
  #place(waiting: Waiting): void {
    const lane = this.#laneForNext();
    if (lane === undefined) this.#refuse(waiting, "not_connected");
    else if (lane.backlogBytes > this.#options.backlogBytesMax) this.#refuse(waiting, "overloaded");
    else this.#admit(lane, waiting);
  }

  #admit(lane: Lane, waiting: Waiting): void {
    const { message, request, deadlineMs } = waiting;
    const added = this.#requests.add(request.trace, request, deadlineMs);
    if (added === "added") {
      request.lane = lane;
      this.#send(lane, message, request);
    } else if (added === "clash" && this.#waiting.length < this.#options.waitingMax) this.#waiting.push(waiting);
    else this.#refuse(waiting, "overloaded");
  }

  #refuse({ message, request }: Waiting, cause: "not_connected" | "overloaded" | "deadline_exceeded"): void {
    wipeMessage(message);
    this.#end(request, { kind: "not_sent", cause });
  }

  /** Ends a request. Safe to repeat: the first answer counts. */
  #end(request: Request, answer: LinkAnswer): void {
    if (request.isSettled) return;
    request.isSettled = true;
    if (request.network === undefined) this.#ended();
    else this.#ownNumbers.delete(request.trace.stan);
    request.settle?.(answer);
    this.#wake(request.trace);
  }

  /** Whoever waits for this number may go. */
  #wake({ messageClass, stan, terminal }: Trace): void {
    const index = this.#waiting.findIndex(
      ({ request: { trace } }) => trace.stan === stan && trace.terminal === terminal && trace.messageClass === messageClass,
    );
    if (index < 0) return;
    const [next] = this.#waiting.splice(index, 1);
    if (next !== undefined) this.#place(next);
  }

  #send(lane: Lane, message: IsoMessage, request: Request): void {
    const { framing, dialect } = this.#options.profile;
    const buffer = takeBuffer(bufferBytes);
    const target = buffer.subarray(headerBytes(framing));
    // Who needs no code need not wait for one.
    if (this.#isSealed(message)) {
      void this.#sendSealed({ lane, message, request, buffer, target });
      return;
    }
    const encoded = encodeMessage(dialect, message, target);
    wipeMessage(message);
    if (encoded.kind === "encoded") this.#hand(lane, buffer, encoded.length, request);
    else this.#giveUp(buffer, request, new Error(describeFault(encoded.fault)));
  }

  async #sendSealed(o: { lane: Lane; message: IsoMessage; request: Request; buffer: Buffer; target: Uint8Array }): Promise<void> {
    let length: number;
    try {
      length = await this.#encode(o.message, o.target);
    } catch (thrown) {
      return this.#giveUp(o.buffer, o.request, thrown);
    } finally {
      wipeMessage(o.message);
    }
    this.#hand(o.lane, o.buffer, length, o.request);
  }

  /** A message that cannot be made is a bug of whoever asked for it. */
  #giveUp(buffer: Buffer, request: Request, bug: unknown): void {
    giveBack(buffer, buffer.length);
    this.#requests.withdraw(request.trace);
    if (request.isSettled) return;
    request.isSettled = true;
    if (request.network === undefined) this.#ended();
    request.fail(bug);
  }

  /** `length`: of the message in `buffer`, after the room for its header. */
  #hand(lane: Lane, buffer: Buffer, length: number, request: Request): void {
    const { framing } = this.#options.profile;
    writeHeader(framing, length, buffer);
    const used = headerBytes(framing) + length;
    // While the code was made the deadline may have passed, or the link may be gone.
    if (request.isSettled) {
      giveBack(buffer, used);
      return;
    }
    request.isSent = lane.write(buffer.subarray(0, used), () => giveBack(buffer, used));
    if (request.isSent) return;
    giveBack(buffer, used);
    this.#requests.withdraw(request.trace);
    this.#end(request, { kind: "not_sent", cause: "not_connected" });
  }

  #isSealed({ mti }: IsoMessage): boolean {
    return this.#options.profile.mac?.classes.includes(mti.charAt(1)) === true;
  }

  async #encode(message: IsoMessage, target: Uint8Array): Promise<number> {
    const { dialect, mac } = this.#options.profile;
    const isSealed = mac !== undefined && this.#isSealed(message);
    return lengthOf(isSealed ? await encodeSealed(dialect, mac.makeMac, message, target) : encodeMessage(dialect, message, target));
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
    // No room for an echo: whatever is under way shows that the link lives, or runs into its own deadline.
    if (this.#requests.add(trace, request, deadlineMs) !== "added") {
      this.#end(request, { kind: "not_sent", cause: "overloaded" });
      return;
    }
    this.#ownNumbers.add(stan);
    this.#send(lane, message, request);
  }

  #onMessage(lane: Lane, bytes: Uint8Array): void {
    const { dialect } = this.#options.profile;
    const decoded = decodeMessage(dialect, bytes);
    if (decoded.kind === "refused") {
      this.#notice("garbled");
      if (decoded.readable !== undefined && isReply(decoded.readable))
        this.#answer(decoded.readable, { kind: "unknown", cause: "garbage" });
      return;
    }
    const { message } = decoded;
    if (!this.#isSealed(message)) {
      this.#heard(lane, message);
      return;
    }
    // A copy: these bytes are overwritten as soon as we wait.
    const own = takeBuffer(bufferBytes);
    own.set(bytes);
    void this.#checked(lane, message, { buffer: own, length: bytes.length });
  }

  async #checked(lane: Lane, message: IsoMessage, { buffer, length }: { readonly buffer: Buffer; readonly length: number }): Promise<void> {
    const { dialect, mac } = this.#options.profile;
    assert(mac !== undefined, "a message that is checked has a code");
    const check = await checkMac(dialect, mac.makeMac, buffer.subarray(0, length), message);
    giveBack(buffer, length);
    if (check === "right") return this.#heard(lane, message);
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

  async #reply(lane: Lane, message: IsoMessage): Promise<void> {
    const { framing } = this.#options.profile;
    const buffer = takeBuffer(bufferBytes);
    const at = headerBytes(framing);
    const length = await this.#encode(message, buffer.subarray(at));
    writeHeader(framing, length, buffer);
    const release = () => giveBack(buffer, at + length);
    if (!lane.write(buffer.subarray(0, at + length), release)) release();
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
    const overdue = this.#waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    if (overdue.length > 0) this.#waiting = this.#waiting.filter((waiting) => !overdue.includes(waiting));
    for (const waiting of overdue) this.#refuse(waiting, "deadline_exceeded");
    this.#heedLease();
    for (const lane of this.#lanes) lane.handle({ kind: "tick" });
    this.#stopTicking = this.#options.timing.after(sweepMs, () => this.#tick());
  }
}

function lengthOf(encoded: Encoded): number {
  assert(encoded.kind === "encoded", encoded.kind === "refused" ? describeFault(encoded.fault) : "");
  return encoded.length;
}

function refuse(message: IsoMessage, cause: "closing" | "deadline_exceeded"): Promise<LinkAnswer> {
  wipeMessage(message);
  return Promise.resolve({ kind: "not_sent", cause });
}

/** Where no length stands before a message: it ends where its last field does. */
function measureWith(dialect: Dialect) {
  return (bytes: Uint8Array): number | "more" | "unreadable" => {
    const decoded = decodeMessage(dialect, bytes);
    if (decoded.kind === "decoded") {
      wipeMessage(decoded.message);
      return bytes.length;
    }
    const { part, position, reason } = decoded.fault;
    if (reason === "truncated") return "more";
    return part === "end" ? position : "unreadable";
  };
}
