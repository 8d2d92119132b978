/** What the log knows of an idempotency key. The log grants, so this is the truth whatever Redis says. */
import { idToHex } from "@florin/kernel";
import type { OpenOperation, Payment } from "../domain/payment/index.ts";
import type { KeyUse } from "../store/claims.ts";
import { answerOf, type OperationAnswer, refuseWith } from "./operation.ts";
import type { Parts } from "./parts.ts";
import { resolveOperation } from "./resolve-operation.ts";

/** A key whose operation has been under way for longer is looked up in the log and, there, with the processor (R41). */
const staleAfterMs = 30_000;

/**
 * True for a time so far away that whoever wrote it is not at work any more. A time that lies ahead was written by a clock that was wrong:
 * it says nothing, and waiting for it would keep the key locked.
 */
export function isStale(startedAtMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - startedAtMs) > staleAfterMs;
}

/** The stored answer, a running operation, a refusal of a reused key, or (undefined) nothing: the key was never used. */
export async function answerFromLog(parts: Parts, use: KeyUse): Promise<OperationAnswer | undefined> {
  const stored = await parts.reader.key(use);
  if (stored === undefined) return undefined;
  if (!stored.requestHash.equals(use.requestHash)) return reusedKey();
  const which = { id: stored.paymentId, merchantId: use.merchantId };
  const nowMs = parts.now();
  // Of a call that went on to another processor it is the latest attempt that is asked about, once that one is old enough.
  const isMeant = (open: OpenOperation) =>
    open.intentSequence === stored.intentSequence ||
    (open.kind === "authorize" && open.intentSequence > stored.intentSequence && isStale(open.startedAtMs, nowMs));
  const found = stored.answer ?? (isStale(stored.createdAtMs, nowMs) ? (await resolveOperation(parts, which, isMeant)).answer : undefined);
  // Meanwhile another may have recorded that a refund was accepted, and we that it succeeded: the first row is the answer, for everybody.
  const answer = found === stored.answer ? found : ((await parts.reader.answerOf(which, stored.intentSequence)) ?? found);
  if (answer === undefined) return inFlight(parts, await parts.reader.newest(which));
  parts.claims.remember(use, { paymentId: which.id, sequence: answer.event.sequence });
  return answerOf("replayed", answer);
}

/** From now on this process knows of what is open. */
export function inFlight(parts: Parts, payment: Payment | undefined): OperationAnswer {
  for (const { id } of payment?.openOperations ?? []) parts.sightings.seenForMs(idToHex(id));
  return { kind: "in_flight", payment };
}

export function reusedKey(): OperationAnswer {
  return refuseWith("idempotency_key_reuse", "this idempotency key was used with other parameters");
}
