/**
 * The life of every operation: claim, load, decide, append the intent, perform, append the outcome, remember, answer.
 *
 * The promises kept here (docs/ARCHITECTURE.md, "Never twice, never lost"):
 * - nothing is sent before its intent is committed, and only the writer of the key's row sends;
 * - an outcome that nobody knows is recorded as unknown and answered as "in flight", never as a failure;
 * - a claim is given back only where surely nothing was sent.
 *
 * What an operation decides and sends is in its own file; this one does not know captures from refunds.
 */
import { AppError, assert, type ErrorCode } from "@florin/kernel";
import type { Decision, Mode, Origin, Outcome, Payment, Recording, Refusal, Transition } from "../domain/payment/index.ts";
import type { Claim, ClaimAnswer, Counter } from "../store/claims.ts";
import type { Appended } from "../store/log-writer.ts";
import type { Parts } from "./parts.ts";
import { resolveOperation } from "./resolve-operation.ts";

export type CallerIdentity = { readonly merchantId: string; readonly mode: Mode; readonly origin: Origin };

export type OperationAnswer =
  | {
      readonly kind: "done" | "replayed";
      readonly payment: Payment | undefined;
      readonly refusal: Refusal | undefined;
      readonly operationId: string;
    }
  | { readonly kind: "in_flight"; readonly payment: Payment | undefined };

/** What an operation brings to the skeleton. */
export type Operation = {
  readonly name: "create" | "authorize" | "capture" | "void" | "refund";
  readonly caller: CallerIdentity;
  readonly idempotencyKey: string;
  /** SHA-256 over the parameters. */
  readonly requestHash: Buffer;
  readonly paymentId: string;
  /** True when this operation makes the payment: there is nothing to load. */
  readonly isNew: boolean;
  /** Velocity counters that ride along with the claim. */
  readonly counters: readonly Counter[];
  /** The intent, or the whole operation when nothing has to be sent. `payment` is absent for a new one. */
  readonly decide: (payment: Payment | undefined, context: DecideContext) => Promise<Decision> | Decision;
  /** Sends to the processor. Never throws. Absent when the decision is the whole operation. */
  readonly send?: (intent: Transition) => Promise<Outcome>;
  readonly record?: (payment: Payment, operationId: string, outcome: Outcome) => Recording;
};

export type DecideContext = { readonly counts: readonly number[] | undefined; readonly isDegraded: boolean };

/** A key whose operation has been under way for longer is looked up in the log and, there, with the processor (R41). */
export const staleAfterMs = 30_000;
const conflictTriesMax = 64;
const outcomeTriesMax = 256;
const outcomeRetryDelayMs = 50;

export async function runOperation(parts: Parts, operation: Operation): Promise<OperationAnswer> {
  const claimed = await parts.claims.claim({
    merchantId: operation.caller.merchantId,
    mode: operation.caller.mode,
    key: operation.idempotencyKey,
    requestHash: operation.requestHash.toString("base64url"),
    counters: operation.counters,
  });
  parts.crashAt("after_claim");
  switch (claimed.kind) {
    case "reused":
      return reused();
    case "decided": {
      const row = await parts.reader.at({ id: claimed.paymentId, merchantId: operation.caller.merchantId }, claimed.sequence);
      // A row that the cache names and the log does not have would be a cache of another database: the log decides.
      return row === undefined ? perform(parts, operation, undefined) : replayed(row);
    }
    case "running":
      if (parts.now() - claimed.startedAtMs <= staleAfterMs) return inFlight(parts, operation);
      return (await answerFromLog(parts, operation)) ?? perform(parts, operation, undefined);
    case "degraded":
      return (await answerFromLog(parts, operation)) ?? perform(parts, operation, undefined);
    case "new":
      return perform(parts, operation, claimed);
  }
}

type NewClaim = Extract<ClaimAnswer, { kind: "new" }>;

/** The right to send is the key's row, so this may run without a claim; it then marks the payment as degraded. */
async function perform(parts: Parts, operation: Operation, claimed: NewClaim | undefined): Promise<OperationAnswer> {
  const claim = claimed?.claim;
  const started = await begin(parts, operation, { counts: claimed?.counts, isDegraded: claimed === undefined }, claim);
  if (started.kind !== "begun") return started;
  const { intent } = started;
  const final =
    operation.send === undefined || intent.payment.openOperations.every(({ id }) => id !== intent.event.operationId)
      ? intent
      : await finish(parts, operation, intent);
  if (final === undefined) return inFlight(parts, operation);
  parts.crashAt("after_outcome_commit");
  if (claim !== undefined) parts.claims.remember(claim, { paymentId: final.payment.id, sequence: final.event.sequence });
  parts.crashAt("after_remember");
  const answer = answerOf("done", final);
  parts.crashAt("before_reply");
  return answer;
}

type Begun = { readonly kind: "begun"; readonly intent: Transition };

/** Loads, decides and appends the intent; decides again when another writer was faster. */
async function begin(
  parts: Parts,
  operation: Operation,
  context: DecideContext,
  claim: Claim | undefined,
): Promise<Begun | OperationAnswer> {
  const attempt = async (): Promise<Begun | OperationAnswer> => {
    for (let tries = 0; tries < conflictTriesMax; tries++) {
      const decided = await decideOn(parts, operation, context);
      if (decided.kind === "refused") return (await answerFromLog(parts, operation)) ?? released(parts, claim, decided.refusal);
      const appended = await appendIntent(parts, operation, decided.transition, claim);
      if (appended.kind === "appended") {
        parts.crashAt("after_intent_commit");
        return { kind: "begun", intent: decided.transition };
      }
      if (appended.kind === "key_taken") return (await answerFromLog(parts, operation)) ?? inFlight(parts, operation);
      if (appended.kind === "reference_taken")
        return released(parts, claim, {
          code: "reference_not_unique",
          message: "this merchant reference was used before",
          param: "merchant_reference",
        });
      parts.metrics.count("switch_append_conflicts_total", { kind: "sequence" });
    }
    return released(parts, claim, { code: "payment_busy", message: "too many operations on this payment at once" });
  };
  return operation.isNew ? attempt() : parts.queues.run(operation.paymentId, attempt);
}

async function decideOn(parts: Parts, operation: Operation, context: DecideContext): Promise<Decision> {
  if (operation.isNew) return operation.decide(undefined, context);
  const { merchantId, mode } = operation.caller;
  const payment = await parts.reader.newest({ id: operation.paymentId, merchantId });
  if (payment === undefined || payment.mode !== mode)
    return { kind: "refused", refusal: { code: "payment_not_found", message: "no such payment" } };
  return operation.decide(payment, context);
}

/** A lost connection leaves it open whether the intent is there: the claim stays, and the key leads to the truth. */
async function appendIntent(parts: Parts, operation: Operation, transition: Transition, claim: Claim | undefined): Promise<Appended> {
  try {
    return await parts.log.append(transition, { key: operation.idempotencyKey, requestHash: operation.requestHash });
  } catch (thrown) {
    if (claim !== undefined && thrown instanceof AppError && thrown.work === "not_done") parts.claims.release(claim);
    throw thrown;
  }
}

/** Sends and records. Undefined when the outcome is unknown. */
async function finish(parts: Parts, operation: Operation, intent: Transition): Promise<Transition | undefined> {
  const { send, record } = operation;
  assert(send !== undefined && record !== undefined, "an operation that sends also records");
  const outcome = await send(intent);
  parts.crashAt("after_processor_answer");
  return recordOutcome(parts, intent, (payment) => record(payment, intent.event.operationId, outcome));
}

/**
 * Appends the outcome of the operation that `intent` began. Returns the row that answers it, or undefined while none does.
 *
 * The processor has acted, so this does not give up lightly: conflicts are decided again, a database that is away is tried again for
 * some seconds. What is lost then is found by recovery.
 */
export async function recordOutcome(
  parts: Parts,
  intent: Transition,
  record: (payment: Payment) => Recording,
): Promise<Transition | undefined> {
  const which = { id: intent.payment.id, merchantId: intent.payment.merchantId };
  const intentSequence = sequenceOfIntent(intent);
  let payment: Payment | undefined = intent.payment;
  for (let tries = 0; tries < outcomeTriesMax; tries++) {
    assert(payment !== undefined, "a payment with an intent is in the log");
    const recording = record(payment);
    if (recording.kind === "ignored") return parts.reader.answerOf(which, intentSequence);
    const appended = await parts.log.append(recording.transition, undefined).catch((thrown: unknown) => waitOrThrow(thrown, tries));
    if (appended?.kind === "appended") return recording.transition.event.type.endsWith("_unknown") ? undefined : recording.transition;
    if (appended !== undefined) parts.metrics.count("switch_append_conflicts_total", { kind: "sequence" });
    payment = await parts.reader.newest(which).catch(() => payment);
  }
  throw new AppError("unavailable", "the outcome could not be recorded", { work: "unknown" });
}

function sequenceOfIntent({ payment, event }: Transition): number {
  return payment.openOperations.find(({ id }) => id === event.operationId)?.intentSequence ?? event.sequence;
}

const outcomeFaultsMax = 40;

/** Repeating an outcome is safe, also when its first try was committed: the second finds the sequence taken, loads, and is ignored. */
async function waitOrThrow(thrown: unknown, tries: number): Promise<undefined> {
  if (tries >= outcomeFaultsMax) throw thrown;
  await new Promise((resolve) => setTimeout(resolve, outcomeRetryDelayMs * Math.min(tries + 1, 10)));
  return undefined;
}

/** What the log knows of this key: the stored answer, a running operation, or (undefined) nothing. */
async function answerFromLog(parts: Parts, operation: Operation): Promise<OperationAnswer | undefined> {
  const { merchantId, mode } = operation.caller;
  const stored = await parts.reader.key(merchantId, mode, operation.idempotencyKey);
  if (stored === undefined) return undefined;
  if (!stored.requestHash.equals(operation.requestHash)) return reused();
  const which = { id: stored.paymentId, merchantId };
  const answer = await parts.reader.answerOf(which, stored.intentSequence);
  if (answer !== undefined) return replayed(answer);
  if (parts.now() - stored.createdAtMs > staleAfterMs) {
    const resolved = await resolveOperation(parts, which, stored.intentSequence);
    if (resolved !== undefined) return replayed(resolved);
  }
  return { kind: "in_flight", payment: await parts.reader.newest(which) };
}

async function inFlight(parts: Parts, operation: Operation): Promise<OperationAnswer> {
  if (operation.isNew) return { kind: "in_flight", payment: undefined };
  return { kind: "in_flight", payment: await parts.reader.newest({ id: operation.paymentId, merchantId: operation.caller.merchantId }) };
}

function released(parts: Parts, claim: Claim | undefined, refusal: Refusal): OperationAnswer {
  if (claim !== undefined) parts.claims.release(claim);
  return refused(refusal);
}

export function refused(refusal: Refusal): OperationAnswer {
  return { kind: "done", payment: undefined, refusal, operationId: "" };
}

export const refuseWith = (code: ErrorCode, message: string, param?: string): OperationAnswer =>
  refused(param === undefined ? { code, message } : { code, message, param });

function reused(): OperationAnswer {
  return refuseWith("idempotency_key_reuse", "this idempotency key was used with other parameters");
}

const replayed = (row: Transition): OperationAnswer => answerOf("replayed", row);

function answerOf(kind: "done" | "replayed", { payment, event }: Transition): OperationAnswer {
  return { kind, payment, refusal: event.refusal, operationId: event.operationId };
}
