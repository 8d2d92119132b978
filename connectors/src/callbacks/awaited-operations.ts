/**
 * Operations at a processor that answers later: it takes an order, and what became of it comes by a callback, or is found by asking.
 *
 * Invariants
 * - an order is handed to the processor at most once, whatever it answers: such a processor looks at no idempotency key, and would charge
 *   twice. Whoever asks for it again gets the answer that is under way, or what the processor says when it is asked by our reference;
 * - whoever is first decides: the callback, which may come before the order is answered, a refusal, or an answer to a question. What none
 *   of them has decided by the deadline is `unknown`;
 * - what is remembered is bounded. A reference that is older than what this process can remember is asked about before it is sent.
 */
import { assert, idTimeMs } from "@florin/kernel";
import { notSent, type Outcome, type QueryAnswer, type UnknownCause, unknown } from "../contract/outcome.ts";

/** What is known when the order's own exchange is over. */
export type Sending =
  /** The processor has it and will say more. */
  | { readonly kind: "taken" }
  /** Nothing more is to be waited for: it never left, or was refused. */
  | { readonly kind: "decided"; readonly outcome: Outcome }
  /** The processor may have it. */
  | { readonly kind: "unclear"; readonly cause: UnknownCause };

/** One operation. `Expected` is what an answer about it has to say, beside the reference. */
export type AwaitedOperation<Expected> = {
  readonly reference: string;
  readonly expected: Expected;
  /** ms since the epoch. */
  readonly deadlineAtMs: number;
  /** Sends the order; called at most once per reference. Never rejects. */
  readonly send: () => Promise<Sending>;
  /** Asks the processor by our reference. Never rejects. */
  readonly ask: (deadlineAtMs: number) => Promise<QueryAnswer>;
};

export type AwaitedOptions<Expected> = {
  /** Whether two orders with one reference ask for the same. */
  readonly isSame: (one: Expected, other: Expected) => boolean;
  /** Silence after which the processor is asked for the first time; the pauses double, ms. */
  readonly askAfterMs: number;
  /** Orders that wait for their end; one more is not sent. */
  readonly awaitedMax: number;
  /** References of orders that were sent. */
  readonly rememberedMax: number;
};

export interface AwaitedOperations<Expected> {
  perform(operation: AwaitedOperation<Expected>): Promise<Outcome>;
  /** A callback: `read` is given what the waiting call expects. False: no call waits for this reference. */
  hear(reference: string, read: (expected: Expected) => Outcome): boolean;
  /** Refuses new orders; waits for those under way until their deadlines. */
  close(): Promise<void>;
}

export function createAwaitedOperations<Expected>(options: AwaitedOptions<Expected>): AwaitedOperations<Expected> {
  return new Awaited(options);
}

class Awaited<Expected> implements AwaitedOperations<Expected> {
  readonly #options: AwaitedOptions<Expected>;
  readonly #waiting = new Map<string, Waiting<Expected>>();
  /** Sent and over, oldest first. */
  readonly #sent = new Set<string>();
  /** References that were made before this may have been sent by a process before this one, or be forgotten. Unix milliseconds. */
  #knownSinceMs = Date.now();
  #isClosing = false;

  constructor(options: AwaitedOptions<Expected>) {
    this.#options = options;
  }

  async perform(operation: AwaitedOperation<Expected>): Promise<Outcome> {
    const { reference, deadlineAtMs } = operation;
    if (this.#isClosing) return notSent("closing");
    if (deadlineAtMs <= Date.now()) return notSent("deadline_exceeded");
    const under = this.#waiting.get(reference);
    if (under !== undefined) return this.#join(under, operation);
    if (this.#sent.has(reference)) return (await asked(operation, deadlineAtMs)) ?? unknown("not_repeated");
    if (this.#waiting.size >= this.#options.awaitedMax) return notSent("queue_full");
    const waiting = new Waiting(operation.expected);
    this.#waiting.set(reference, waiting);
    let outcome: Outcome;
    try {
      outcome = await this.#carryOut(operation, waiting);
    } catch (bug) {
      // Those who wait with it, and the end of this process, do not wait for what nobody carries on.
      waiting.end(unknown(waiting.cause));
      throw bug;
    } finally {
      this.#waiting.delete(reference);
    }
    // What surely never left may be sent when it is asked for again.
    if (outcome.kind !== "not_sent") this.#remember(reference);
    waiting.end(outcome);
    return outcome;
  }

  hear(reference: string, read: (expected: Expected) => Outcome): boolean {
    const waiting = this.#waiting.get(reference);
    if (waiting === undefined) return false;
    waiting.hear(read(waiting.expected));
    return true;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#waiting.values()].map(({ ended }) => ended));
  }

  async #carryOut(operation: AwaitedOperation<Expected>, waiting: Waiting<Expected>): Promise<Outcome> {
    const { reference, deadlineAtMs } = operation;
    const deadlineMs = performance.now() + deadlineAtMs - Date.now();
    if (idTimeMs(reference) < this.#knownSinceMs) {
      const found = await asked(operation, deadlineAtMs);
      // A callback that came while we asked has been taken for this call, and does not come again.
      const outcome = (await waiting.within(0)) ?? found;
      if (outcome !== undefined) return outcome;
    }
    void operation.send().then((sending) => {
      if (sending.kind === "decided") waiting.decide(sending.outcome);
      if (sending.kind === "unclear") waiting.note(sending.cause);
    });
    for (let pauseMs = this.#options.askAfterMs; ; pauseMs *= 2) {
      // By the clock that never jumps; who asks converts what is left anew.
      const leftMs = deadlineMs - performance.now();
      const heard = await waiting.within(Math.min(pauseMs, leftMs));
      if (heard !== undefined) return heard;
      if (pauseMs >= leftMs) return unknown(waiting.cause);
      // A question that is not answered must not hold up the callback.
      void operation.ask(Date.now() + leftMs - pauseMs).then((answer) => {
        if (answer.kind === "found") waiting.learn(answer.outcome);
      });
    }
  }

  async #join(under: Waiting<Expected>, { expected, deadlineAtMs }: AwaitedOperation<Expected>): Promise<Outcome> {
    if (!this.#options.isSame(under.expected, expected)) return unknown("key_reused");
    return (await inTime(under.ended, deadlineAtMs - Date.now())) ?? unknown("timeout");
  }

  #remember(reference: string): void {
    this.#sent.add(reference);
    if (this.#sent.size <= this.#options.rememberedMax) return;
    const [oldest] = this.#sent;
    assert(oldest !== undefined, "a full memory has an oldest reference");
    this.#sent.delete(oldest);
    this.#knownSinceMs = Math.max(this.#knownSinceMs, idTimeMs(oldest) + 1);
  }
}

/** One call that waits for its end. */
class Waiting<Expected> {
  readonly expected: Expected;
  /** What `end` was told: for those who asked for the same meanwhile. */
  readonly ended: Promise<Outcome>;
  /** Why nothing is known yet. */
  cause: UnknownCause = "timeout";
  readonly end: (outcome: Outcome) => void;
  readonly #decided: Promise<Outcome>;
  readonly decide: (outcome: Outcome) => void;

  constructor(expected: Expected) {
    this.expected = expected;
    const ended = Promise.withResolvers<Outcome>();
    const decided = Promise.withResolvers<Outcome>();
    [this.ended, this.end] = [ended.promise, ended.resolve];
    [this.#decided, this.decide] = [decided.promise, decided.resolve];
  }

  /** A callback: an answer, or an event that says that the processor is still at work. */
  hear(outcome: Outcome): void {
    if (!this.learn(outcome) && outcome.kind === "unknown" && outcome.cause !== "in_progress") this.note(outcome.cause);
  }

  /** Whether this decides. */
  learn(outcome: Outcome): boolean {
    const isDecisive = outcome.kind === "approved" || outcome.kind === "declined";
    if (isDecisive) this.decide(outcome);
    return isDecisive;
  }

  note(cause: UnknownCause): void {
    this.cause = cause;
  }

  within(ms: number): Promise<Outcome | undefined> {
    return inTime(this.#decided, ms);
  }
}

/** What the processor has under this reference; undefined when it has nothing. */
async function asked<Expected>({ ask }: AwaitedOperation<Expected>, deadlineAtMs: number): Promise<Outcome | undefined> {
  const answer = await ask(deadlineAtMs);
  return answer.kind === "found" ? answer.outcome : undefined;
}

/** Undefined after `ms`. */
function inTime<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), Math.max(0, ms));
    void promise.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
