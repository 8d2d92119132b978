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
 * - a reply after the deadline is `late`, and never the answer to another request that has the same number by then;
 * - what is under way and what is remembered are bounded; the oldest memory goes first.
 */
import type { IsoMessage } from "../codec/message.ts";

const stanField = 11;
const terminalField = 41;

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
  const echoes = echoed.flatMap((field) => {
    const text = textIn(message, field);
    return text === "" ? [] : [[field, text] as const];
  });
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
  readonly rememberedMax: number;
};

type Entry<Request> = { readonly trace: Trace; readonly request: Request; readonly deadlineMs: number };
type Past<Request> = { readonly trace: Trace; readonly request: Request; readonly wasAnswered: boolean; readonly untilMs: number };

export class InFlight<Request> {
  readonly #options: InFlightOptions;
  /** By class and number; nearly always one entry. */
  readonly #entries = new Map<string, Entry<Request>[]>();
  #size = 0;
  /** Oldest first. */
  readonly #past = new Map<string, Past<Request>[]>();
  readonly #pastOrder = new Set<Past<Request>>();

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  add(trace: Trace, request: Request, deadlineMs: number): "added" | "clash" | "full" {
    const key = keyOf(trace);
    const same = this.#entries.get(key);
    if (same?.some((entry) => entry.trace.terminal === trace.terminal) === true) return "clash";
    if (this.#size >= this.#options.inFlightMax) return "full";
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
      this.#remove(entry);
      this.#remember(entry, true, nowMs);
      return { kind: "answer", request: entry.request };
    }
    const past = fitting(this.#past.get(key), message);
    if (past === undefined) return { kind: "stray" };
    if (past.wasAnswered) return { kind: "duplicate" };
    // The next copy of a late reply is a duplicate.
    this.#forget(past);
    this.#remember(past, true, nowMs);
    return { kind: "late", request: past.request };
  }

  /** Ends what is past its deadline, and forgets what was remembered for long enough. */
  expire(nowMs: number): readonly Request[] {
    for (const oldest of this.#pastOrder) {
      if (oldest.untilMs > nowMs) break;
      this.#forget(oldest);
    }
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

  #end(isOver: (entry: Entry<Request>) => boolean, nowMs: number): readonly Request[] {
    const over = [...this.#entries.values()].flat().filter(isOver);
    for (const entry of over) {
      this.#remove(entry);
      this.#remember(entry, false, nowMs);
    }
    return over.map(({ request }) => request);
  }

  #remove(entry: Entry<Request>): void {
    removeFrom(this.#entries, entry);
    this.#size -= 1;
  }

  #remember({ trace, request }: { readonly trace: Trace; readonly request: Request }, wasAnswered: boolean, nowMs: number): void {
    const oldest = this.#pastOrder.values().next().value;
    if (oldest !== undefined && this.#pastOrder.size >= this.#options.rememberedMax) this.#forget(oldest);
    const past = { trace, request, wasAnswered, untilMs: nowMs + this.#options.rememberedMs };
    const key = keyOf(trace);
    const same = this.#past.get(key);
    if (same === undefined) this.#past.set(key, [past]);
    else same.push(past);
    this.#pastOrder.add(past);
  }

  #forget(past: Past<Request>): void {
    removeFrom(this.#past, past);
    this.#pastOrder.delete(past);
  }
}

function keyOf({ messageClass, stan }: Trace): string {
  return messageClass + stan;
}

function removeFrom<One extends { readonly trace: Trace }>(map: Map<string, One[]>, one: One): void {
  const key = keyOf(one.trace);
  const rest = (map.get(key) ?? []).filter((other) => other !== one);
  if (rest.length === 0) map.delete(key);
  else map.set(key, rest);
}

/** The one that `message` replies to; undefined when none fits, or two do. */
function fitting<One extends { readonly trace: Trace }>(candidates: readonly One[] | undefined, message: IsoMessage): One | undefined {
  if (candidates === undefined) return undefined;
  const terminal = textIn(message, terminalField);
  const fits = candidates.filter(({ trace }) => {
    if (terminal !== "" && trace.terminal !== "" && trace.terminal !== terminal) return false;
    return trace.echoes.every(([field, sent]) => {
      const text = textIn(message, field);
      return text === "" || text === sent;
    });
  });
  return fits.length === 1 ? fits[0] : undefined;
}

function textIn({ fields }: IsoMessage, field: number): string {
  const value = fields.get(field);
  return typeof value === "string" ? value : "";
}
