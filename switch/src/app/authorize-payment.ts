/** Creating and authorizing payments. Both may happen in one call; then the first row of the payment is the authorization's intent. */
import { makeId } from "@florin/kernel";
import type { EndedToken, TokenDescription } from "../clients/token-directory.ts";
import { type CreatePayment, createPayment, draft, tokenParam, tokenRefusals } from "../domain/payment/index.ts";
import type { KeyUse } from "../store/claims.ts";
import { answerFromLog } from "./answer-from-log.ts";
import { type Attempt, type AttemptCommand, attemptCard } from "./attempt-card.ts";
import { type CallerIdentity, type OperationAnswer, refuseWith } from "./operation.ts";
import type { Parts } from "./parts.ts";
import { requestHash } from "./request-hash.ts";
import { runOperation } from "./run-operation.ts";

export type CreateCommand = {
  readonly caller: CallerIdentity;
  readonly idempotencyKey: string;
  readonly payment: Omit<CreatePayment, "id" | "merchantId" | "mode">;
  /** Present: authorize in the same call. */
  readonly attempt: AttemptCommand | undefined;
};

export type AuthorizeCommand = {
  readonly caller: CallerIdentity;
  readonly idempotencyKey: string;
  readonly paymentId: string;
  readonly attempt: AttemptCommand;
};

export async function createOrAuthorize(parts: Parts, command: CreateCommand): Promise<OperationAnswer> {
  const { caller, payment, attempt } = command;
  const { merchantId, mode, origin } = caller;
  const nowMs = parts.now();
  const create: CreatePayment = { ...payment, id: makeId("payment", nowMs, parts.random(10)), merchantId, mode };
  const use: KeyUse = { merchantId, mode, key: command.idempotencyKey, requestHash: hashOf(command) };
  if (attempt !== undefined) return authorize(parts, { caller, use, attempt, paymentId: create.id, draft: draft(create, nowMs) });
  return runOperation(parts, {
    use,
    caller,
    paymentId: create.id,
    isNew: true,
    counters: [],
    decide: () => ({ kind: "append", transition: createPayment(create, { nowMs, origin }) }),
  });
}

export function authorizeExisting(parts: Parts, command: AuthorizeCommand): Promise<OperationAnswer> {
  const { caller, attempt, paymentId } = command;
  const hash = requestHash("authorize", [paymentId, attempt.token, attempt.customerIp]);
  const use: KeyUse = { merchantId: caller.merchantId, mode: caller.mode, key: command.idempotencyKey, requestHash: hash };
  return authorize(parts, { caller, use, attempt, paymentId, draft: undefined });
}

/** A replay is answered although the vault is away or has forgotten the token since. */
async function authorize(parts: Parts, o: Attempt): Promise<OperationAnswer> {
  let described: TokenDescription | EndedToken | undefined;
  try {
    const { merchantId, mode, origin, budget } = o.caller;
    described = await parts.vault.describe({ merchantId, mode, token: o.attempt.token, traceparent: origin.traceparent, budget });
  } catch (thrown) {
    const earlier = await answerFromLog(parts, o.use);
    if (earlier !== undefined) return earlier;
    throw thrown;
  }
  if (described?.kind === "usable" && (described.usedBy === "" || described.usedBy === o.paymentId))
    return attemptCard(parts, o, described);
  // Refused before anything is written. Of payments that come at once with one token the vault lets one through, when the card is opened.
  const { code, message } = refusals[described === undefined ? "unknown" : described.kind === "usable" ? "used" : described.kind];
  return (await answerFromLog(parts, o.use)) ?? refuseWith(code, message, tokenParam);
}

const refusals = {
  unknown: { code: "token_not_found", message: tokenRefusals.token_not_found },
  used: { code: "token_already_used", message: tokenRefusals.token_already_used },
  expired: { code: "token_expired", message: tokenRefusals.token_expired },
  deleted: { code: "token_deleted", message: tokenRefusals.token_deleted },
} as const;

function hashOf({ payment, attempt }: CreateCommand): Buffer {
  const metadata = Object.entries(payment.metadata).sort(([left], [right]) => (left < right ? -1 : 1));
  return requestHash(attempt === undefined ? "create" : "create_and_authorize", [
    payment.amount,
    payment.currency,
    payment.captureMode,
    payment.merchantReference,
    payment.uniqueReference,
    payment.description,
    metadata.length === 0 ? "" : JSON.stringify(metadata),
    attempt?.token,
    attempt?.customerIp,
  ]);
}
