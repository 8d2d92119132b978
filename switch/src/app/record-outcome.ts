/**
 * Appends the outcome of an operation whose intent is in the log.
 *
 * The processor has acted, so this does not give up lightly: conflicts are decided again from the newest state, a database that is away
 * is tried again for some twenty seconds. What is lost then is found by recovery. Repeating is safe: once an outcome is in the log, the
 * domain ignores a second one.
 */
import { AppError, required, toAppError } from "@florin/kernel";
import type { Payment, Recording, Transition } from "../domain/payment/index.ts";
import type { Appended } from "../store/log-writer.ts";
import type { Parts } from "./parts.ts";

export type Recorded = {
  /** The row that answers the operation; undefined while nobody knows. */
  readonly answer: Transition | undefined;
  /** The intent that this call wrote in place of an answer: whoever gets it sends it. */
  readonly next: Transition | undefined;
  /** As it stands after it. */
  readonly payment: Payment;
};

const triesMax = 256;
const faultsMax = 40;
const faultDelayMsMin = 50;
const faultDelayMsMax = 500;

/** Outcomes that leave their operation open. */
const isUndecided = (type: string) => type.endsWith("_unknown") || type === "authorization_ambiguous";
/** Outcomes that begin another operation in place of an answer. */
const isOnward = (type: string) => type === "authorization_rerouted";

/**
 * `intent`: the row of the intent, or any later state of its payment with that event. `nextId`: of the attempt that `record` may begin. Nobody else
 * knows it, so a row that has begun it is ours, also where its acknowledgement was lost.
 */
export async function recordOutcome(
  parts: Parts,
  intent: Transition,
  record: (payment: Payment) => Recording,
  nextId?: string,
): Promise<Recorded> {
  const { payment } = intent;
  // Mostly nobody else works on this payment, and what we know of it is the newest.
  if (parts.queues.isIdle(payment.id)) {
    const recorded = await tryOnce(parts, { intent, record, nextId }, payment).catch(retried);
    if (recorded !== undefined) return recorded;
  }
  return parts.queues.run(payment.id, () => insist(parts, { intent, record, nextId }), { isOutcome: true });
}

type Due = { readonly intent: Transition; readonly record: (payment: Payment) => Recording; readonly nextId: string | undefined };

async function insist(parts: Parts, due: Due): Promise<Recorded> {
  const { id, merchantId } = due.intent.payment;
  const which = { id, merchantId };
  let faults = 0;
  for (let tries = 0; tries < triesMax; tries++) {
    try {
      const payment = required(await parts.reader.newest(which), "a payment with an intent");
      const recorded = await tryOnce(parts, due, payment);
      if (recorded !== undefined) return recorded;
      parts.metrics.count("switch_append_conflicts_total", { kind: "sequence" });
    } catch (thrown) {
      if (!isWorthRepeating(thrown) || ++faults >= faultsMax) throw thrown;
      await parts.timing.sleep(Math.min(faultDelayMsMin * faults, faultDelayMsMax));
    }
  }
  throw new AppError("unavailable", "the outcome could not be recorded", { work: "unknown" });
}

/** Undefined: another writer was faster. */
async function tryOnce(parts: Parts, { intent, record, nextId }: Due, payment: Payment): Promise<Recorded | undefined> {
  const recording = record(payment);
  if (recording.kind === "ignored") {
    const next = await storedNext(parts, payment, nextId);
    return { answer: next === undefined ? await storedAnswer(parts, intent) : undefined, next, payment };
  }
  const { transition } = recording;
  const appended: Appended = await parts.log.append(transition, undefined);
  if (appended.kind !== "appended") return undefined;
  const { payment: after, event } = transition;
  if (isOnward(event.type)) return { answer: undefined, next: transition, payment: after };
  return { answer: isUndecided(event.type) ? undefined : transition, next: undefined, payment: after };
}

/** The intent that an earlier try of ours has written; undefined when there is none, or when recovery has begun to ask about it. */
async function storedNext(parts: Parts, { id, merchantId, openOperations }: Payment, nextId: string | undefined) {
  const open = openOperations.find((one) => one.id === nextId);
  return open === undefined || open.isUnknown ? undefined : parts.reader.at({ id, merchantId }, open.intentSequence);
}

function storedAnswer(parts: Parts, { payment, event }: Transition): Promise<Transition | undefined> {
  const sequence = payment.openOperations.find(({ id }) => id === event.operationId)?.intentSequence ?? event.sequence;
  return parts.reader.answerOf({ id: payment.id, merchantId: payment.merchantId }, sequence);
}

function retried(thrown: unknown): undefined {
  if (!isWorthRepeating(thrown)) throw thrown;
  return undefined;
}

/** The database or its queue, not a bug of ours. */
export function isWorthRepeating(thrown: unknown): boolean {
  const { code } = toAppError(thrown);
  return code === "unavailable" || code === "overloaded";
}
