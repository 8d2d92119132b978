/**
 * Sends operations to the connectors process and brings outcomes back in the domain's words.
 *
 * A fault on the way is an outcome too: a command that surely never left is `not_sent`, everything else is `unknown`. Nothing here
 * throws for a processor, and nothing is repeated. What recovery asks and sends again is bounded (retry-budgets.ts). Operations stop at an open circuit (processor-circuits.ts); questions and reversals do not.
 * An operation whose caller has no time left is not sent.
 */
import { type ConnectorService, OutcomeKind, type Outcome as WireOutcome } from "@florin/gen/connectors/v1/connectors";
import { isDeclineReason, isId, toAppError } from "@florin/kernel";
import type { CallBudget } from "@florin/runtime/resilience";
import type { CallOptions, Client } from "@florin/runtime/rpc";
import type { Tracer } from "@florin/runtime/telemetry";
import type { Outcome, Payment } from "../domain/payment/index.ts";
import type { GuardedOperation, ProcessorCircuits } from "./processor-circuits.ts";
import type { RetryBudgets } from "./retry-budgets.ts";

/** How an outcome that nobody knows is decided: by asking, by sending the same again, by undoing it, or by the settlement file. */
export type UnknownStrategy = "query" | "repeat" | "reverse" | "file";

/** What recovery needs to know of a connector. */
export type Abilities = {
  readonly unknownStrategy: UnknownStrategy /** An operation can be undone by our reference. */;
  readonly reversal: boolean;
};

export type Answered = { readonly found: boolean; readonly outcome: Outcome };

export interface ConnectorGateway {
  authorize(payment: Payment, o: Waited & { readonly attemptId: string; readonly connector: string }): Promise<Outcome>;
  capture(payment: Payment, o: Operation): Promise<Outcome>;
  void(payment: Payment, o: Waited & { readonly id: string }): Promise<Outcome>;
  refund(payment: Payment, o: Operation & { readonly reason: string }): Promise<Outcome>;
  /** Approved: the operation has no effect, now and later. Declined: it cannot be undone. Safe to repeat with the same `id`. */
  reverse(payment: Payment, o: Reversal): Promise<Outcome>;
  /** Undefined when nobody can say now. */
  abilities(connector: string): Promise<Abilities | undefined>;
  /** `found: false` only when the processor surely has no such operation. What it says of another amount or currency is unknown. */
  query(o: Asked): Promise<Answered>;
}

type Waited = {
  readonly traceparent: string;
  /** How long somebody waits for the operation. Absent: nobody does, and it gets all the time there is. */
  readonly budget?: CallBudget | undefined;
  /** Sent before, with the same reference: counts as a retry. */
  readonly isAgain?: boolean;
};
type Operation = Waited & { readonly id: string; readonly amount: bigint };

type Reversal = {
  /** "rev_…" */
  readonly id: string;
  /** Our reference of the operation to undo. */
  readonly originalId: string;
  readonly amount: bigint;
  readonly connector: string;
  readonly traceparent: string;
};

type Asked = {
  readonly connector: string;
  /** Our reference of the operation. */
  readonly reference: string;
  /** What the operation is about, in minor units of `currency`. */
  readonly amount: bigint;
  readonly currency: string;
  readonly traceparent: string;
};

/** Below the lease of an operation (30 s): when recovery looks at it, nobody waits for it any more. A caller that waits less shortens it. */
const sendTimeoutMs = 25_000;
const queryTimeoutMs = 5_000;
/** A connectors process that was replaced may have learned something. */
const abilitiesKeptMs = 60_000;

export function createConnectorGateway(o: {
  readonly client: Client<typeof ConnectorService>;
  readonly tracer: Tracer;
  readonly circuits: ProcessorCircuits;
  readonly retries: RetryBudgets;
  readonly now: () => number;
}): ConnectorGateway {
  const { client, circuits, retries } = o;
  const authorizationOf = (payment: Payment) => ({
    connector: payment.processorResponse?.connector ?? "",
    authorizationReference: payment.authorizationId,
    processorReference: payment.processorResponse?.processorReference ?? "",
    merchantId: payment.merchantId,
  });
  type Sending = Waited & { readonly name: string };
  const send = async ({ name, traceparent, budget }: Sending, call: (options: CallOptions) => Promise<Answer>): Promise<Outcome> => {
    const timeoutMs = timeFor(budget);
    const span = o.tracer.startSpan(name, { parent: traceparent, kind: "client" });
    const sent = () => settled(call({ timeoutMs, traceparent: span.traceparent }));
    const outcome = await (budget === undefined ? sent() : budget.elsewhere(sent));
    span.end(outcome.kind === "unknown" || outcome.kind === "not_sent" ? "fault" : "ok");
    return outcome;
  };
  type Sent = Waited & { readonly connector: string; readonly operation: GuardedOperation };
  const sendGuarded = (sent: Sent, call: (options: CallOptions) => Promise<Answer>): Promise<Outcome> => {
    const { connector, operation, traceparent, budget, isAgain = false } = sent;
    const timeoutMs = timeFor(budget);
    // The intent is in the log, and so will be that it was not sent.
    if (timeoutMs === 0) return Promise.resolve({ kind: "not_sent", cause: "deadline_exceeded" });
    const guarded = () =>
      circuits.guard({ connector, operation, timeoutMs }, () => send({ name: `switch.send_${operation}`, traceparent, budget }, call));
    return isAgain ? retry(connector, guarded) : first(connector, guarded);
  };
  const first = async (connector: string, ask: () => Promise<Outcome>): Promise<Outcome> => {
    const outcome = await ask();
    if (outcome.kind !== "not_sent") retries.earn(connector);
    return outcome;
  };
  const retry = async (connector: string, ask: () => Promise<Outcome>): Promise<Outcome> =>
    (await retries.within(connector, ask, wasInVain)) ?? { kind: "not_sent", cause: "retry_budget" };
  return {
    authorize: (payment, { attemptId, connector, ...waited }) => {
      const request = {
        connector,
        reference: attemptId,
        merchantId: payment.merchantId,
        paymentId: payment.id,
        amount: payment.amount,
        currency: payment.currency,
        token: payment.token,
        capture: isPurchase(payment),
        merchantReference: payment.merchantReference,
      };
      return sendGuarded({ connector, operation: "authorize", ...waited }, (options) => client.authorize(request, options));
    },
    capture: (payment, { id, amount, ...waited }) => {
      const request = { ...authorizationOf(payment), reference: id, amount, currency: payment.currency };
      return sendGuarded({ connector: request.connector, operation: "capture", ...waited }, (options) => client.capture(request, options));
    },
    void: (payment, { id, ...waited }) => {
      const request = { ...authorizationOf(payment), reference: id };
      return sendGuarded({ connector: request.connector, operation: "void", ...waited }, (options) => client.void(request, options));
    },
    refund: (payment, { id, amount, reason, ...waited }) => {
      const request = {
        ...authorizationOf(payment),
        reference: id,
        amount,
        currency: payment.currency,
        reason,
        isPurchase: isPurchase(payment),
      };
      return sendGuarded({ connector: request.connector, operation: "refund", ...waited }, (options) => client.refund(request, options));
    },
    reverse: (payment, { id, originalId, amount, connector, traceparent }) => {
      const request = {
        connector,
        reference: id,
        originalReference: originalId,
        // A payment may have had other attempts since.
        authorizationReference: isId("attempt", originalId) ? originalId : payment.authorizationId,
        merchantId: payment.merchantId,
        paymentId: payment.id,
        amount,
        currency: payment.currency,
        isPurchase: isPurchase(payment),
      };
      return retry(connector, () => send({ name: "switch.send_reverse", traceparent }, (options) => client.reverse(request, options)));
    },
    abilities: createAbilities(client, o.now),
    async query({ connector, reference, amount, currency, traceparent }) {
      // A void is sent without an amount, and whatever a processor tells of one is not compared.
      const sentWith = isId("void", reference) ? {} : { amount, currency };
      const ask = async (): Promise<Answered> => {
        try {
          const answer = await client.query({ connector, reference, ...sentWith }, { timeoutMs: queryTimeoutMs, traceparent });
          return { found: answer.found, outcome: outcomeOf(answer.outcome) };
        } catch (thrown) {
          return { found: true, outcome: faultOf(thrown) };
        }
      };
      const answered = await retries.within(connector, ask, ({ found, outcome }) => found && wasInVain(outcome));
      const { found, outcome } = answered ?? { found: true, outcome: { kind: "not_sent", cause: "retry_budget" } };
      // That the question was not sent says nothing about the operation.
      return { found, outcome: outcome.kind === "not_sent" ? { kind: "unknown", cause: outcome.cause } : outcome };
    },
  };
}

/**
 * The processor said nothing, not even that it is still at work. What was surely not sent never came to its door, except for a connection
 * that could not be made: one in trouble feels those, too.
 */
function wasInVain(outcome: Outcome): boolean {
  switch (outcome.kind) {
    case "approved":
    case "declined":
      return false;
    case "not_sent":
      return outcome.cause === "not_connected";
    case "unknown":
      return outcome.cause !== "in_progress";
  }
}

function timeFor(budget: CallBudget | undefined): number {
  return budget === undefined ? sendTimeoutMs : budget.askMs(sendTimeoutMs);
}

/** The authorization takes the money in the same operation: said when it is sent, and to processors that find it by that later. */
function isPurchase(payment: Payment): boolean {
  return payment.captureMode === "automatic";
}

/** Asked for once a minute; while the connectors cannot be asked, what is known stays. */
function createAbilities(client: Client<typeof ConnectorService>, now: () => number): ConnectorGateway["abilities"] {
  let known: ReadonlyMap<string, Abilities> = new Map();
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;
  const ask = async () => {
    try {
      const { connectors } = await client.listConnectors({}, { timeoutMs: queryTimeoutMs });
      known = new Map(connectors.map(({ name, capabilities }) => [name, abilitiesOf(capabilities)]));
      askedAtMs = now();
    } catch {
      // Not answered: asked again by the next who needs it.
    }
  };
  return async (connector) => {
    if (Math.abs(now() - askedAtMs) > abilitiesKeptMs) {
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      await asking;
    }
    return known.get(connector);
  };
}

const strategies: ReadonlySet<string> = new Set<UnknownStrategy>(["query", "repeat", "reverse", "file"]);

/** A strategy that this release does not know is left to the file: nothing is sent that might be wrong. */
function abilitiesOf(capabilities: { unknownStrategy: string; reversal: boolean } | undefined): Abilities {
  const strategy = capabilities?.unknownStrategy ?? "";
  return {
    unknownStrategy: strategies.has(strategy) ? (strategy as UnknownStrategy) : "file",
    reversal: capabilities?.reversal ?? false,
  };
}

type Answer = { readonly outcome?: WireOutcome | undefined };

async function settled(answer: Promise<Answer>): Promise<Outcome> {
  try {
    return outcomeOf((await answer).outcome);
  } catch (thrown) {
    return faultOf(thrown);
  }
}

function faultOf(thrown: unknown): Outcome {
  const { work, code } = toAppError(thrown);
  return { kind: work === "not_done" ? "not_sent" : "unknown", cause: code };
}

function outcomeOf(wire: WireOutcome | undefined): Outcome {
  if (wire === undefined) return { kind: "unknown", cause: "no_outcome" };
  const { processorReference, responseCode, authCode, avs, cvv } = wire;
  const words = { processorReference, responseCode, authCode, avs, cvv };
  switch (wire.kind) {
    case OutcomeKind.APPROVED:
      return { kind: "approved", words, isFinal: wire.isFinal };
    case OutcomeKind.DECLINED:
      // A reason that we have no word for is still a no.
      return { kind: "declined", words, reason: isDeclineReason(wire.declineReason) ? wire.declineReason : "generic_decline" };
    case OutcomeKind.NOT_SENT:
      return { kind: "not_sent", cause: wire.cause };
    default:
      return { kind: "unknown", cause: wire.cause === "" ? "unspecified" : wire.cause };
  }
}
