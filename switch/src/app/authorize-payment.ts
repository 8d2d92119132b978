/** Creating and authorizing payments. Both may happen in one call; then the first row of the payment is the authorization's intent. */
import { makeId } from "@florin/kernel";
import type { EndedToken, TokenDescription } from "../clients/token-directory.ts";
import {
  blockAuthorization,
  type CreatePayment,
  createPayment,
  type Decision,
  draft,
  type FraudCheck,
  type Payment,
  recordAuthorization,
  requestAuthorization,
  tokenParam,
  tokenRefusals,
} from "../domain/payment/index.ts";
import type { KeyUse } from "../store/claims.ts";
import { answerFromLog } from "./answer-from-log.ts";
import type { Screened } from "./fraud/screen.ts";
import { type CallerIdentity, type DecideContext, type OperationAnswer, refuseWith } from "./operation.ts";
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

export type AttemptCommand = { readonly token: string /** Empty when the merchant sent none. */; readonly customerIp: string };

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

type Attempt = {
  readonly caller: CallerIdentity;
  readonly use: KeyUse;
  readonly attempt: AttemptCommand;
  readonly paymentId: string;
  /** The draft of a new payment. */
  readonly draft: Payment | undefined;
};

/** A replay is answered although the vault is away or has forgotten the token since. */
async function authorize(parts: Parts, o: Attempt): Promise<OperationAnswer> {
  let described: TokenDescription | EndedToken | undefined;
  try {
    const { merchantId, mode, origin } = o.caller;
    described = await parts.vault.describe({ merchantId, mode, token: o.attempt.token, traceparent: origin.traceparent });
  } catch (thrown) {
    const earlier = await answerFromLog(parts, o.use);
    if (earlier !== undefined) return earlier;
    throw thrown;
  }
  if (described?.kind === "usable" && (described.usedBy === "" || described.usedBy === o.paymentId))
    return attemptWith(parts, o, described);
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

function attemptWith(parts: Parts, o: Attempt, { card, fingerprint }: TokenDescription): Promise<OperationAnswer> {
  const { caller, attempt } = o;
  const { origin } = caller;
  const nowMs = parts.now();
  const attemptId = makeId("attempt", nowMs, parts.random(10));
  const who: Screened = { merchantId: caller.merchantId, cardFingerprint: fingerprint, bin: card.bin, customerIp: attempt.customerIp };
  let verdict: FraudCheck | undefined;
  const decide = async (stored: Payment | undefined, { counts }: DecideContext): Promise<Decision> => {
    const payment = stored ?? (o.draft as Payment);
    // Judged once, however often a faster writer makes us decide again: judging may count.
    verdict ??= await judged(parts, who, payment, { counts, nowMs });
    const facts = { attemptId, token: attempt.token, card, fraudCheck: verdict, connector: parts.connector };
    const context = { nowMs: parts.now(), origin };
    return verdict.riskLevel === "blocked" ? blockAuthorization(payment, facts, context) : requestAuthorization(payment, facts, context);
  };
  return runOperation(parts, {
    use: o.use,
    caller,
    paymentId: o.paymentId,
    isNew: o.draft !== undefined,
    counters: parts.fraud.counters(who, nowMs),
    decide,
    send: ({ payment }) => {
      const sent = parts.connectors.authorize(payment, { attemptId, connector: parts.connector, traceparent: origin.traceparent });
      parts.crashAt("after_send");
      return sent;
    },
    record: (payment, operationId, outcome) =>
      recordAuthorization(
        payment,
        { attemptId: operationId, outcome },
        { nowMs: parts.now(), origin, authorizationLifetimeMs: parts.authorizationLifetimeMs },
      ),
  });
}

async function judged(parts: Parts, ...question: Parameters<Parts["fraud"]["judge"]>): Promise<FraudCheck> {
  const verdict = await parts.fraud.judge(...question);
  parts.metrics.count("switch_fraud_decisions_total", { level: verdict.riskLevel });
  return verdict;
}

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
