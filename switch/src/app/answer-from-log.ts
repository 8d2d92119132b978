/** What the log knows of an idempotency key. The log grants, so this is the truth whatever Redis says. */
import type { KeyUse } from "../store/claims.ts";
import { answerOf, type OperationAnswer, refuseWith } from "./operation.ts";
import type { Parts } from "./parts.ts";
import { resolveOperation } from "./resolve-operation.ts";

/** A key whose operation has been under way for longer is looked up in the log and, there, with the processor (R41). */
export const staleAfterMs = 30_000;

/** The stored answer, a running operation, a refusal of a reused key, or (undefined) nothing: the key was never used. */
export async function answerFromLog(parts: Parts, use: KeyUse): Promise<OperationAnswer | undefined> {
  const stored = await parts.reader.key(use);
  if (stored === undefined) return undefined;
  if (!stored.requestHash.equals(use.requestHash)) return reusedKey();
  const which = { id: stored.paymentId, merchantId: use.merchantId };
  const isStale = parts.now() - stored.createdAtMs > staleAfterMs;
  const answer =
    stored.answer ??
    (isStale ? (await resolveOperation(parts, which, (open) => open.intentSequence === stored.intentSequence)).answer : undefined);
  if (answer === undefined) return { kind: "in_flight", payment: await parts.reader.newest(which) };
  parts.claims.remember(use, { paymentId: which.id, sequence: answer.event.sequence });
  return answerOf("replayed", answer);
}

export function reusedKey(): OperationAnswer {
  return refuseWith("idempotency_key_reuse", "this idempotency key was used with other parameters");
}
