/** Creating and authorizing payments. Both may happen in one call; then the first row of the payment is the authorization's intent. */
import { makeId } from "@florin/kernel";
import {
  blockAuthorization,
  type CreatePayment,
  createPayment,
  type Decision,
  draft,
  type Payment,
  recordAuthorization,
  requestAuthorization,
} from "../domain/payment/index.ts";
import type { Screened } from "./fraud/screen.ts";
import { type CallerIdentity, type DecideContext, type Operation, type OperationAnswer, refuseWith, runOperation } from "./operation.ts";
import type { Parts } from "./parts.ts";
import { requestHash } from "./request-hash.ts";

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
  const nowMs = parts.now();
  const create: CreatePayment = {
    ...payment,
    id: makeId("payment", nowMs, parts.random(10)),
    merchantId: caller.merchantId,
    mode: caller.mode,
  };
  const common = { caller, idempotencyKey: command.idempotencyKey, requestHash: hashOf(command), paymentId: create.id, isNew: true };
  if (attempt === undefined) {
    return runOperation(parts, {
      ...common,
      name: "create",
      counters: [],
      decide: (_, { isDegraded }) => ({
        kind: "append",
        transition: createPayment(create, { nowMs, origin: caller.origin, idempotencyDegraded: isDegraded }),
      }),
    });
  }
  return authorize(parts, { ...common, attempt, loaded: () => draft(create, nowMs), screened: create });
}

export async function authorizeExisting(parts: Parts, command: AuthorizeCommand): Promise<OperationAnswer> {
  const { caller, attempt } = command;
  const hash = requestHash("authorize", [command.paymentId, attempt.token, attempt.customerIp]);
  const payment = await parts.reader.newest({ id: command.paymentId, merchantId: caller.merchantId });
  if (payment === undefined || payment.mode !== caller.mode) return refuseWith("payment_not_found", "no such payment");
  return authorize(parts, {
    caller,
    idempotencyKey: command.idempotencyKey,
    requestHash: hash,
    paymentId: command.paymentId,
    isNew: false,
    attempt,
    screened: payment,
  });
}

type Attempt = Pick<Operation, "caller" | "idempotencyKey" | "requestHash" | "paymentId" | "isNew"> & {
  readonly attempt: AttemptCommand;
  /** The draft of a new payment. */
  readonly loaded?: () => Payment;
  readonly screened: { readonly amount: bigint; readonly currency: string };
};

async function authorize(parts: Parts, o: Attempt): Promise<OperationAnswer> {
  const { caller, attempt } = o;
  const { traceparent } = caller.origin;
  const described = await parts.vault.describe({ merchantId: caller.merchantId, mode: caller.mode, token: attempt.token, traceparent });
  if (described === undefined) return refuseWith("token_not_found", "no such payment method token", "payment_method.token");
  const nowMs = parts.now();
  const who: Screened = {
    merchantId: caller.merchantId,
    cardFingerprint: described.fingerprint,
    bin: described.card.bin,
    customerIp: attempt.customerIp,
    amount: o.screened.amount,
    currency: o.screened.currency,
  };
  const attemptId = makeId("attempt", nowMs, parts.random(10));
  const decide = async (stored: Payment | undefined, context: DecideContext): Promise<Decision> => {
    const payment = stored ?? (o.loaded as () => Payment)();
    const fraudCheck = await parts.fraud.judge(who, context.counts, nowMs);
    parts.metrics.count("switch_fraud_decisions_total", { level: fraudCheck.riskLevel });
    const facts = { attemptId, token: attempt.token, card: described.card, fraudCheck, connector: parts.connector };
    const when = { nowMs: parts.now(), origin: caller.origin, idempotencyDegraded: context.isDegraded };
    return fraudCheck.riskLevel === "blocked" ? blockAuthorization(payment, facts, when) : requestAuthorization(payment, facts, when);
  };
  return runOperation(parts, {
    ...o,
    name: "authorize",
    counters: parts.fraud.counters(who, nowMs),
    decide,
    send: ({ payment }) => {
      const sent = parts.connectors.authorize(payment, { attemptId, connector: parts.connector, traceparent });
      parts.crashAt("after_send");
      return sent;
    },
    record: (payment, operationId, outcome) =>
      recordAuthorization(
        payment,
        { attemptId: operationId, outcome },
        { nowMs: parts.now(), origin: caller.origin, authorizationLifetimeMs: parts.authorizationLifetimeMs },
      ),
  });
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
