/**
 * Follows up operations that nobody could answer: finds out with the processor (ask-processor.ts), again and again with growing pauses,
 * until it is known what became of them (P2, R47).
 *
 * Holds no truth: everything here is found again in the log. What is followed is bounded (followed.ts); while it is full, the reader of the log waits.
 */
import { idToHex } from "@florin/kernel";
import { giveUpQuerying } from "../domain/payment/authorize.ts";
import { type OpenOperation, type Outcome, recordAuthorization, type Transition } from "../domain/payment/index.ts";
import type { FoundOperation } from "../store/open-operations.ts";
import { createFollowedOperations, type Followed, type Stake } from "./followed.ts";
import type { Parts } from "./parts.ts";
import { isWorthRepeating, recordOutcome } from "./record-outcome.ts";
import { type Resolved, resolveOperation } from "./resolve-operation.ts";
import { recoveryOrigin } from "./reversal.ts";

/** After these an authorization is called ambiguous, and the questions go on more slowly. */
const triesUntilAmbiguous = 5;
/** Questions under way, and those of one processor: one that hangs leaves the others their places. */
const atOnceMax = 512;
const perProcessorMax = 128;
/** A round waits no longer for its answers; they are heard all the same. */
const roundMsMax = 1_000;

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

export type FollowUpOptions = {
  /** What another set follows is let go of here. */
  readonly isOurs: (open: OpenOperation) => boolean;
  /** Age from which on one that has been asked about often enough may wait longer for its next turn. */
  readonly oldAfterMs: number;
  /** Told of an operation that could not be looked at for its own sake (a row that cannot be read, a bug); the others go on, and it is tried again. */
  readonly onFault: (operation: FoundOperation, thrown: unknown) => void;
};

export function createFollowUps(parts: Parts, o: FollowUpOptions): FollowUps {
  const followed = createFollowedOperations(parts.timing.monotonicMs);
  const underWay = new Set<Promise<void>>();
  const places = createPlaces();
  let fault: { readonly thrown: unknown } | undefined;
  const throwFault = (): void => {
    if (fault === undefined) return;
    const { thrown } = fault;
    fault = undefined;
    throw thrown;
  };
  const isOld = ({ tries, stake }: Followed): boolean =>
    tries >= triesUntilAmbiguous && stake !== undefined && parts.now() - stake.startedAtMs > o.oldAfterMs;
  const ask = async (one: Followed): Promise<void> => {
    one.isUnderWay = true;
    let hasPlace = one.processor !== undefined && places.take(one.processor);
    const mayAsk = ({ connector }: OpenOperation): boolean => {
      one.processor = connector;
      hasPlace ||= places.take(connector);
      return hasPlace;
    };
    try {
      if (await isSettled(parts, one, o.isOurs, mayAsk)) followed.letGo(one);
      else followed.again(one, isOld(one));
    } catch (thrown) {
      if (isWorthRepeating(thrown)) fault ??= { thrown };
      else {
        one.refusals += 1;
        followed.again(one, isOld(one));
        o.onFault(one, thrown);
      }
    } finally {
      one.isUnderWay = false;
      if (hasPlace && one.processor !== undefined) places.giveBack(one.processor);
    }
  };
  return {
    add: (operation) => followed.add(operation),
    hurry: (operationUuid) => followed.hurry(operationUuid),
    async askDue() {
      throwFault();
      const begun: Promise<void>[] = [];
      for (const one of followed.due()) {
        if (underWay.size >= atOnceMax) break;
        if (places.isFull(one.processor)) continue;
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
      for (const { position } of followed.all()) if (lowest === undefined || position < lowest) lowest = position;
      return lowest;
    },
    stakes: () => [...followed.all()].flatMap(({ stake }) => (stake === undefined ? [] : [stake])),
  };
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
async function isSettled(
  parts: Parts,
  one: Followed,
  isOurs: FollowUpOptions["isOurs"],
  mayAsk: (open: OpenOperation) => boolean,
): Promise<boolean> {
  const resolved = await resolveOperation(parts, one.which, ({ id }) => idToHex(id) === one.operationUuid, mayAsk);
  const { open, answer, currency, wasAsked } = resolved;
  if (open === undefined || !isOurs(open)) return true;
  one.stake = { startedAtMs: open.startedAtMs, amount: open.amount, currency };
  if (answer !== undefined && !isStillOpen(answer, open)) {
    countResolution(parts, open, outcomeOf(answer));
    return true;
  }
  if (wasAsked) one.tries += 1;
  one.refusals = wasAsked ? 0 : one.refusals + 1;
  if (isTimeToSay(one, resolved) && open.kind === "authorize") await callAmbiguous(parts, one, open);
  return false;
}

/**
 * When the merchant is told that nobody knows: after the last quick question, or at once where none can be asked. At every later one too, should it
 * not have been written down: there it says nothing new.
 */
function isTimeToSay(one: Followed, { awaitsFile, wasAsked }: Resolved): boolean {
  return awaitsFile || (wasAsked && one.tries >= triesUntilAmbiguous);
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
