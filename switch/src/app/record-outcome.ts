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

/** `intent`: the row of the intent, or any later state of its payment with that event. */
export async function recordOutcome(parts: Parts, intent: Transition, record: (payment: Payment) => Recording): Promise<Recorded> {
  const { payment } = intent;
  // Mostly nobody else works on this payment, and what we know of it is the newest.
  if (parts.queues.isIdle(payment.id)) {
    const recorded = await tryOnce(parts, intent, payment, record).catch(retried);
    if (recorded !== undefined) return recorded;
  }
  return parts.queues.run(payment.id, () => insist(parts, intent, record), { isOutcome: true });
}

async function insist(parts: Parts, intent: Transition, record: (payment: Payment) => Recording): Promise<Recorded> {
  const which = { id: intent.payment.id, merchantId: intent.payment.merchantId };
  let faults = 0;
  for (let tries = 0; tries < triesMax; tries++) {
    try {
      const payment = required(await parts.reader.newest(which), "a payment with an intent");
      const recorded = await tryOnce(parts, intent, payment, record);
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
async function tryOnce(
  parts: Parts,
  intent: Transition,
  payment: Payment,
  record: (payment: Payment) => Recording,
): Promise<Recorded | undefined> {
  const recording = record(payment);
  if (recording.kind === "ignored") return { answer: await storedAnswer(parts, intent), next: undefined, payment };
  const { transition } = recording;
  const appended: Appended = await parts.log.append(transition, undefined);
  if (appended.kind !== "appended") return undefined;
  const { payment: after, event } = transition;
  if (isOnward(event.type)) return { answer: undefined, next: transition, payment: after };
  return { answer: isUndecided(event.type) ? undefined : transition, next: undefined, payment: after };
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
function isWorthRepeating(thrown: unknown): boolean {
  const { code } = toAppError(thrown);
  return code === "unavailable" || code === "overloaded";
}
