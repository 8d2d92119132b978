/**
 * Whose reply is it? Pure: requests under way to one processor, over all its links, and for a while those that nobody waits for any more.
 *
 * A reply belongs to a request when class of the message type, trace number (DE 11) and terminal (DE 41) are the same, and every field that
 * the processor echoes (transmission time, retrieval reference) does not contradict. A reply without a terminal belongs to the only request
 * with its class and number, if there is only one.
 *
 * Invariants
 * - two requests with the same class, number and terminal are never under way at the same time: the second has to wait (`clash`);
 * - a request is handed out once: the first reply is the answer, every other is `duplicate`;
 * - a reply after the deadline is `late`, and never the answer to another request that has the same number by then. One that repeats nothing by which
 *   the two could be told apart is nobody's;
 * - what is under way and what is remembered are bounded; the oldest memory goes first.
 */
import type { IsoMessage } from "../codec/message.ts";

const stanField = 11;
const terminalField = 41;
const networkManagement = "8";

/** What a request can be recognised by. */
export type Trace = {
  /** Second digit of the message type: 1 authorization, 2 financial, 4 reversal, 5 reconciliation, 8 network management. */
  readonly messageClass: string;
  readonly stan: string;
  /** Empty when the request has none. */
  readonly terminal: string;
  /** Fields that the reply has to repeat where it has them. */
  readonly echoes: readonly (readonly [number, string])[];
};

/** The trace of a request, from its own fields. `echoed`: fields that this processor repeats in its replies. */
export function traceOf(message: IsoMessage, echoed: readonly number[]): Trace {
  const echoes: (readonly [number, string])[] = [];
  for (const field of echoed) {
    const text = textIn(message, field);
    if (text !== "") echoes.push([field, text]);
  }
  return { messageClass: message.mti.charAt(1), stan: textIn(message, stanField), terminal: textIn(message, terminalField), echoes };
}

export type Recognised<Request> =
  | { readonly kind: "answer"; readonly request: Request }
  /** Nobody waits for it any more. */
  | { readonly kind: "late"; readonly request: Request }
  /** Its request has been answered. */
  | { readonly kind: "duplicate" }
  /** Of no request that is known. */
  | { readonly kind: "stray" };

export type InFlightOptions = {
  readonly inFlightMax: number;
  /** How long a request is remembered after its end, ms. */
  readonly rememberedMs: number;
  /** Of those without an answer; of answered ones the latest 2,048 at most. */
  readonly rememberedMax: number;
};

type Entry<Request> = { readonly trace: Trace; readonly request: Request; readonly deadlineMs: number };
/** `request` only while a late reply may come: what was answered is let go, with all that it holds. */
type Past<Request> = { readonly trace: Trace; unanswered: { readonly request: Request } | undefined; readonly untilMs: number };

/** Of answered requests. */
const answeredMax = 2_048;

export class InFlight<Request> {
  readonly #options: InFlightOptions;
  /** By class and number; nearly always one entry. */
  readonly #entries = new Map<string, Entry<Request>[]>();
  #size = 0;
  /** Requests that nobody waits for any more: their replies may come late. */
  readonly #overdue: Memory<Past<Request>>;
  /** Requests that were answered: another reply is a duplicate. Copies come soon or never, and what lives shortly costs nothing. */
  readonly #answered: Memory<Past<Request>>;

  constructor(options: InFlightOptions) {
    this.#options = options;
    const { rememberedMax, rememberedMs } = options;
    this.#overdue = new Memory(rememberedMax, rememberedMs);
    this.#answered = new Memory(Math.min(rememberedMax, answeredMax), rememberedMs);
  }

  get size(): number {
    return this.#size;
  }

  add(trace: Trace, request: Request, deadlineMs: number): "added" | "clash" | "full" {
    const key = keyOf(trace);
    const same = this.#entries.get(key);
    if (same?.some((entry) => entry.trace.terminal === trace.terminal) === true) return "clash";
    // Messages about links, a few for each, keep alive what the payments go over: they take nobody's place and find their own.
    if (this.#size >= this.#options.inFlightMax && trace.messageClass !== networkManagement) return "full";
    const entry = { trace, request, deadlineMs };
    if (same === undefined) this.#entries.set(key, [entry]);
    else same.push(entry);
    this.#size += 1;
    return "added";
  }

  /** Whose reply `message` is. An answered request is no longer under way. */
  recognise(message: IsoMessage, nowMs: number): Recognised<Request> {
    const key = `${message.mti.charAt(1)}${textIn(message, stanField)}`;
    const entry = fitting(this.#entries.get(key), message);
    if (entry !== undefined) {
      if (!isRepeating(entry.trace, message) && this.#mayBeAnothers(entry.trace, message, nowMs)) return { kind: "stray" };
      this.#remove(entry);
      this.#remember(this.#answered, { trace: entry.trace, unanswered: undefined }, nowMs);
      return { kind: "answer", request: entry.request };
    }
    const past = this.#overdue.find(key, message) ?? this.#answered.find(key, message);
    if (past === undefined || past.untilMs <= nowMs) return { kind: "stray" };
    const { unanswered } = past;
    if (unanswered === undefined) return { kind: "duplicate" };
    // The next copy of a late reply is a duplicate.
    past.unanswered = undefined;
    return { kind: "late", request: unanswered.request };
  }

  /** Ends what is past its deadline, and forgets what was remembered for long enough. */
  expire(nowMs: number): readonly Request[] {
    for (const memory of [this.#overdue, this.#answered]) memory.expire(nowMs);
    return this.#end((entry) => entry.deadlineMs <= nowMs, nowMs);
  }

  /** Ends the requests that `isLost` names, answers to which may still come. */
  lose(isLost: (request: Request) => boolean, nowMs: number): readonly Request[] {
    return this.#end((entry) => isLost(entry.request), nowMs);
  }

  /** Takes back a request that was not sent. */
  withdraw(trace: Trace): void {
    const entry = this.#entries.get(keyOf(trace))?.find((one) => one.trace === trace);
    if (entry !== undefined) this.#remove(entry);
  }

  /** Whether `message` may be the reply to a request about something else that nobody waits for any more. */
  #mayBeAnothers(trace: Trace, message: IsoMessage, nowMs: number): boolean {
    const terminal = textIn(message, terminalField);
    return this.#overdue.some(
      keyOf(trace),
      (past) => past.untilMs > nowMs && fits(past.trace, terminal, message) && !isRepetition(past.trace, trace),
    );
  }

  #end(isOver: (entry: Entry<Request>) => boolean, nowMs: number): readonly Request[] {
    const over = [...this.#entries.values()].flat().filter(isOver);
    for (const entry of over) {
      this.#remove(entry);
      this.#remember(this.#overdue, { trace: entry.trace, unanswered: { request: entry.request } }, nowMs);
    }
    return over.map(({ request }) => request);
  }

  #remove(entry: Entry<Request>): void {
    removeFrom(this.#entries, entry);
    this.#size -= 1;
  }

  #remember(memory: Memory<Past<Request>>, past: Omit<Past<Request>, "untilMs">, nowMs: number): void {
    memory.add({ ...past, untilMs: nowMs + this.#options.rememberedMs }, nowMs);
  }
}

/** The latest requests, in two halves: the younger is written, the older only read, and forgetting is letting go of it. */
class Memory<One extends { readonly trace: Trace }> {
  readonly #halfMax: number;
  readonly #halfMs: number;
  #young = new Map<string, One[]>();
  #old = new Map<string, One[]>();
  #youngCount = 0;
  #youngSinceMs = Number.NEGATIVE_INFINITY;

  constructor(countMax: number, rememberedMs: number) {
    this.#halfMax = Math.max(1, countMax >> 1);
    this.#halfMs = rememberedMs;
  }

  add(one: One, nowMs: number): void {
    if (this.#youngCount >= this.#halfMax) this.#letGo(nowMs);
    addTo(this.#young, one);
    this.#youngCount += 1;
  }

  find(key: string, message: IsoMessage): One | undefined {
    return fitting(this.#young.get(key), message) ?? fitting(this.#old.get(key), message);
  }

  some(key: string, is: (one: One) => boolean): boolean {
    return this.#young.get(key)?.some(is) === true || this.#old.get(key)?.some(is) === true;
  }

  /** Whatever is older than both halves are meant to reach back. */
  expire(nowMs: number): void {
    if (nowMs - this.#youngSinceMs >= this.#halfMs) this.#letGo(nowMs);
  }

  #letGo(nowMs: number): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngCount = 0;
    this.#youngSinceMs = nowMs;
  }
}

function addTo<One extends { readonly trace: Trace }>(map: Map<string, One[]>, one: One): void {
  const key = keyOf(one.trace);
  const same = map.get(key);
  if (same === undefined) map.set(key, [one]);
  else same.push(one);
}

function keyOf({ messageClass, stan }: Trace): string {
  return messageClass + stan;
}

function removeFrom<One extends { readonly trace: Trace }>(map: Map<string, One[]>, one: One): void {
  const key = keyOf(one.trace);
  const same = map.get(key) ?? [];
  const index = same.indexOf(one);
  if (index < 0) return;
  if (same.length === 1) map.delete(key);
  else same.splice(index, 1);
}

/** The one that `message` replies to; undefined when none fits, or two do. */
function fitting<One extends { readonly trace: Trace }>(candidates: readonly One[] | undefined, message: IsoMessage): One | undefined {
  if (candidates === undefined) return undefined;
  const terminal = textIn(message, terminalField);
  let only: One | undefined;
  for (const candidate of candidates) {
    if (!fits(candidate.trace, terminal, message)) continue;
    if (only !== undefined) return undefined;
    only = candidate;
  }
  return only;
}

function fits(trace: Trace, terminal: string, message: IsoMessage): boolean {
  if (terminal !== "" && trace.terminal !== "" && trace.terminal !== terminal) return false;
  for (const [field, sent] of trace.echoes) {
    const text = textIn(message, field);
    if (text !== "" && text !== sent) return false;
  }
  return true;
}

/** Whether a reply repeats what tells its request from another one with the same number. */
function isRepeating({ echoes }: Trace, message: IsoMessage): boolean {
  for (const [field] of echoes) if (textIn(message, field) !== "") return true;
  return false;
}

/** A request that is sent again has all its marks again; without any nobody can say. */
function isRepetition(one: Trace, other: Trace): boolean {
  if (one.echoes.length === 0 || one.echoes.length !== other.echoes.length) return false;
  return one.echoes.every(([field, text], index) => other.echoes[index]?.[0] === field && other.echoes[index]?.[1] === text);
}

function textIn({ fields }: IsoMessage, field: number): string {
  const value = fields.get(field);
  return typeof value === "string" ? value : "";
}
