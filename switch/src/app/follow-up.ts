/**
 * Follows up operations that nobody could answer: finds out with the processor (ask-processor.ts), again and again with growing pauses,
 * until it is known what became of them (P2, R47).
 *
 * Holds no truth: everything here is found again in the log. The set is bounded; while it is full, the reader of the log waits.
 */
import { idToHex } from "@florin/kernel";
import { giveUpQuerying } from "../domain/payment/authorize.ts";
import { type OpenOperation, type Outcome, recordAuthorization, type Transition } from "../domain/payment/index.ts";
import type { FoundOperation } from "../store/open-operations.ts";
import type { Parts } from "./parts.ts";
import { isWorthRepeating, recordOutcome } from "./record-outcome.ts";
import { type Resolved, resolveOperation } from "./resolve-operation.ts";
import { recoveryOrigin } from "./reversal.ts";

/** Pauses between questions: 1, 2, 4, 8, 16 s. After these an authorization is called ambiguous, and the questions go on more slowly. */
const pauseMsMin = 1_000;
const pauseMsMax = 10 * 60 * 1000;
/** The longest where nobody could be asked, for want of a place or within the retry budget: thousands of those must not read the log all the time. */
const refusedPauseMsMax = 30_000;
const triesUntilAmbiguous = 5;
/** Longer than any promise of `resolvesByMs`: from then on the settlement file has the word. */
const followedForMsMax = 72 * 60 * 60 * 1000;
const operationsMax = 50_000;
/** Questions under way, and those of one processor: one that hangs leaves the others their places. */
const atOnceMax = 512;
const perProcessorMax = 128;
/** A round waits no longer for its answers; they are heard all the same. */
const roundMsMax = 1_000;

type Followed = FoundOperation & {
  /** Questions that were asked. */
  tries: number;
  /** Turns since then at which nobody could be asked. */
  refusals: number;
  /** This and the next by the clock that never jumps: a wall clock that is set back would put the question off for as long. */
  dueAtMs: number;
  readonly sinceMs: number;
  /** Known once it was asked about. */
  stake: Stake | undefined;
  isUnderWay: boolean;
  /** Known once it was looked at. */
  processor: string | undefined;
};

/** What hangs on an open operation. */
export type Stake = { readonly startedAtMs: number; readonly amount: bigint; readonly currency: string };

/** Operations about which there may be something to hear. */
export interface News {
  /** Offers the uuid of each, 32 hex characters, until `isTaken` says so. */
  offer(isTaken: (operationUuid: string) => boolean): void;
}

export interface FollowUps {
  /** False when there is no room: come again later. An operation that is followed already is not added twice. */
  add(operation: FoundOperation): boolean;
  /** There is news of this operation: it is due now. False: it is not followed here. */
  hurry(operationUuid: string): boolean;
  /**
   * Asks about what is due and is not being asked about, as far as there are places. Resolves when what it asked has been answered, or after a second
   * without: the rest is heard while others are asked. Rejects when the database is away, in an earlier round perhaps.
   */
  askDue(): Promise<void>;
  /** When nothing is being asked any more. */
  quiet(): Promise<void>;
  /** The earliest position whose operation is still open here; undefined when there is none. */
  lowestPosition(): bigint | undefined;
  /** Of the operations that were asked about at least once and are open. */
  stakes(): Stake[];
}

/**
 * `untilUnknown`: lets go of an operation once its outcome is recorded as unknown, because another set follows those. `onFault`: told of an operation
 * that could not be looked at for its own sake (a row that cannot be read, a bug); the others go on, and it is tried again.
 */
export function createFollowUps(
  parts: Parts,
  o: { readonly untilUnknown: boolean; readonly onFault: (operation: FoundOperation, thrown: unknown) => void },
): FollowUps {
  const followed = new Map<string, Followed>();
  const underWay = new Set<Promise<void>>();
  const places = createPlaces();
  let fault: { readonly thrown: unknown } | undefined;
  const throwFault = (): void => {
    if (fault === undefined) return;
    const { thrown } = fault;
    fault = undefined;
    throw thrown;
  };
  const ask = async (one: Followed): Promise<void> => {
    one.isUnderWay = true;
    let hasPlace = one.processor !== undefined && places.take(one.processor);
    const mayAsk = ({ connector }: OpenOperation): boolean => {
      one.processor = connector;
      hasPlace ||= places.take(connector);
      return hasPlace;
    };
    try {
      if (await isSettled(parts, one, o.untilUnknown, mayAsk)) followed.delete(one.operationUuid);
      else one.dueAtMs = parts.timing.monotonicMs() + pauseMsAfter(one);
    } catch (thrown) {
      if (isWorthRepeating(thrown)) fault ??= { thrown };
      else {
        one.refusals += 1;
        one.dueAtMs = parts.timing.monotonicMs() + pauseMsAfter(one);
        o.onFault(one, thrown);
      }
    } finally {
      one.isUnderWay = false;
      if (hasPlace && one.processor !== undefined) places.giveBack(one.processor);
    }
  };
  return {
    add(operation) {
      if (followed.has(operation.operationUuid)) return true;
      if (followed.size >= operationsMax) return false;
      const nowMs = parts.timing.monotonicMs();
      const unasked = { tries: 0, refusals: 0, stake: undefined, isUnderWay: false, processor: undefined };
      followed.set(operation.operationUuid, { ...operation, ...unasked, dueAtMs: nowMs + pauseMsMin, sinceMs: nowMs });
      return true;
    },
    hurry(operationUuid) {
      const one = followed.get(operationUuid);
      if (one !== undefined) one.dueAtMs = Math.min(one.dueAtMs, parts.timing.monotonicMs());
      return one !== undefined;
    },
    async askDue() {
      throwFault();
      const nowMs = parts.timing.monotonicMs();
      const begun: Promise<void>[] = [];
      for (const one of followed.values()) {
        if (underWay.size >= atOnceMax) break;
        if (one.dueAtMs > nowMs || one.isUnderWay || places.isFull(one.processor)) continue;
        const asking = ask(one).finally(() => underWay.delete(asking));
        underWay.add(asking);
        begun.push(asking);
      }
      if (begun.length === 0) return;
      const isOver = new AbortController();
      await Promise.race([Promise.all(begun), parts.timing.sleep(roundMsMax, isOver.signal)]);
      isOver.abort();
      throwFault();
    },
    async quiet() {
      await Promise.all(underWay);
    },
    lowestPosition() {
      let lowest: bigint | undefined;
      for (const { position } of followed.values()) if (lowest === undefined || position < lowest) lowest = position;
      return lowest;
    },
    stakes: () => [...followed.values()].flatMap(({ stake }) => (stake === undefined ? [] : [stake])),
  };
}

function pauseMsAfter({ tries, refusals }: Followed): number {
  const longest = refusals === 0 ? pauseMsMax : refusedPauseMsMax;
  return Math.min(pauseMsMin * 2 ** (tries + refusals), longest);
}

/** Questions under way by processor. */
function createPlaces() {
  const taken = new Map<string, number>();
  const isFull = (processor: string | undefined) => processor !== undefined && (taken.get(processor) ?? 0) >= perProcessorMax;
  return {
    isFull,
    take(processor: string): boolean {
      if (isFull(processor)) return false;
      taken.set(processor, (taken.get(processor) ?? 0) + 1);
      return true;
    },
    giveBack(processor: string): void {
      const left = (taken.get(processor) ?? 0) - 1;
      if (left > 0) taken.set(processor, left);
      else taken.delete(processor);
    },
  };
}

/** Asks once. True: the operation is decided, or is no longer ours to ask about. */
async function isSettled(parts: Parts, one: Followed, untilUnknown: boolean, mayAsk: (open: OpenOperation) => boolean): Promise<boolean> {
  const resolved = await resolveOperation(parts, one.which, ({ id }) => idToHex(id) === one.operationUuid, mayAsk);
  const { open, answer, currency, wasAsked } = resolved;
  if (open === undefined || (untilUnknown && open.isUnknown)) return true;
  one.stake = { startedAtMs: open.startedAtMs, amount: open.amount, currency };
  if (answer !== undefined && !isStillOpen(answer, open)) {
    countResolution(parts, open, outcomeOf(answer));
    return true;
  }
  if (wasAsked) one.tries += 1;
  one.refusals = wasAsked ? 0 : one.refusals + 1;
  if (isTimeToSay(one, resolved) && open.kind === "authorize") await callAmbiguous(parts, one, open);
  return parts.timing.monotonicMs() - one.sinceMs > followedForMsMax && (await isForTheFile(parts, open));
}

/** A charge that must be undone is never given up: where a reversal is how an authorization is decided, no file tells its end. */
async function isForTheFile(parts: Parts, { kind, connector }: OpenOperation): Promise<boolean> {
  if (kind === "reversal") return false;
  if (kind !== "authorize") return true;
  const abilities = await parts.connectors.abilities(connector);
  return abilities !== undefined && abilities.unknownStrategy !== "reverse";
}

/** When the merchant is told that nobody knows: after the last quick question, or at once where none can be asked. */
function isTimeToSay(one: Followed, { awaitsFile, wasAsked }: Resolved): boolean {
  return awaitsFile || (wasAsked && one.tries === triesUntilAmbiguous);
}

/** An accepted refund has an answer for its caller and goes on at the processor. */
function isStillOpen({ payment }: Transition, { id }: OpenOperation): boolean {
  return payment.openOperations.some((open) => open.id === id);
}

async function callAmbiguous(parts: Parts, { which }: Followed, open: OpenOperation): Promise<void> {
  const intent = await parts.reader.at(which, open.intentSequence);
  const payment = await parts.reader.newest(which);
  if (intent === undefined || payment?.hold !== "requested") return;
  const context = { nowMs: parts.now(), origin: recoveryOrigin };
  const { authorizationLifetimeMs } = parts;
  // Whoever follows unknown operations finds them by this row, the report and a restart as well; ignored where there is one.
  const outcome: Outcome = { kind: "unknown", cause: "undecided" };
  await recordOutcome(parts, { payment, event: intent.event }, (current) =>
    recordAuthorization(current, { attemptId: open.id, outcome }, { ...context, authorizationLifetimeMs }),
  );
  await recordOutcome(parts, { payment, event: intent.event }, (current) => giveUpQuerying(current, open.id, context));
  parts.metrics.count("switch_recovered_operations_total", { outcome: "ambiguous" });
}

function countResolution(parts: Parts, open: OpenOperation, outcome: "succeeded" | "failed" | "reversed"): void {
  parts.metrics.count("switch_recovered_operations_total", { outcome });
  parts.metrics.record("switch_operation_resolution_seconds", Math.max(0, parts.now() - open.startedAtMs) / 1_000, { outcome });
}

function outcomeOf({ event }: Transition): "succeeded" | "failed" | "reversed" {
  if (event.type === "authorization_reversed" || event.type === "reversal_succeeded") return "reversed";
  return event.refusal === undefined && event.type !== "reversal_failed" ? "succeeded" : "failed";
}
