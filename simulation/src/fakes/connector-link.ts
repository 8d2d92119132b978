/** The connectors process and the way to the acquirer, as the switch's client meets them. */
import type { ConnectorService } from "@florin/gen/connectors/v1/connectors";
import { assert, required } from "@florin/kernel";
import type { Client } from "@florin/runtime/rpc";
import type { Acquirer, AcquirerRequest, WireOutcome } from "./acquirer.ts";
import { noAnswer } from "./acquirer.ts";
import { callOver, type LinkOptions } from "./link.ts";

/** Milliseconds. */
const acquirerMs = { min: 5, max: 60 };
/** Later than the switch waits (25 s), so that some answers come to nobody. */
const lateMsMax = 40_000;
/** An acquirer that is told to refuse what it does not find may be wrong for as long as it likes … */
const contradictsMsMax = 90_000;
/** … one that cannot be told so has to be right within the 30 s after which "not found" is believed. */
const contradictsBelievedMsMax = 20_000;
const connectorTimeoutMs = 10_000;

export type ConnectorClient = Client<typeof ConnectorService>;
type Answered = { readonly outcome: WireOutcome };

export function createConnectorClient(o: LinkOptions & { readonly acquirers: ReadonlyMap<string, Acquirer> }): ConnectorClient {
  const acquirerOf = (connector: string | undefined): Acquirer =>
    required(o.acquirers.get(connector ?? ""), "an acquirer behind each connector");
  const perform = async (acquirer: Acquirer, request: AcquirerRequest, timeoutMs: number): Promise<Answered> => {
    const book = () => acquirer.perform(request, hiddenForMs(o, acquirer));
    return callOver<Answered>(o, { timeoutMs, serve: (reply) => throughLine(o, book, (outcome) => reply({ outcome })) });
  };
  const client = {
    authorize: (request: Wire, { timeoutMs }: Timeout) =>
      perform(
        acquirerOf(request.connector),
        { ...common(request), kind: "authorize", isSale: request.capture === true, authorizationReference: "" },
        timeoutMs,
      ),
    capture: (request: Wire, { timeoutMs }: Timeout) =>
      perform(acquirerOf(request.connector), { ...common(request), kind: "capture" }, timeoutMs),
    void: (request: Wire, { timeoutMs }: Timeout) =>
      perform(acquirerOf(request.connector), { ...common(request), kind: "void" }, timeoutMs),
    refund: (request: Wire, { timeoutMs }: Timeout) =>
      perform(acquirerOf(request.connector), { ...common(request), kind: "refund" }, timeoutMs),
    reverse: (
      { originalReference = "", connector }: { readonly originalReference?: string; readonly connector?: string },
      { timeoutMs }: Timeout,
    ) =>
      callOver<Answered>(o, {
        timeoutMs,
        serve: (reply) => {
          const acquirer = acquirerOf(connector);
          const undo = () =>
            acquirer.manner.strategy.reversal ? acquirer.reverse(originalReference) : noAnswer("unknown", "not_supported");
          throughLine(o, undo, (outcome) => reply({ outcome }));
        },
      }),
    listConnectors: (_: unknown, { timeoutMs }: Timeout) =>
      callOver(o, {
        timeoutMs,
        serve: (reply) =>
          reply({ connectors: [...o.acquirers].map(([name, { manner }]) => ({ name, capabilities: { ...manner.strategy } })) }),
      }),
    query: ({ connector, ...question }: Wire, { timeoutMs }: Timeout) =>
      callOver<{ found: boolean; outcome?: WireOutcome }>(o, {
        timeoutMs,
        serve: (reply) => {
          const { world } = o.life;
          if (o.faults.fires("query_unanswered")) reply({ found: true, outcome: noAnswer("unknown", "timeout") });
          else world.schedule(world.random.between(acquirerMs.min, acquirerMs.max), () => reply(query(acquirerOf(connector), question)));
        },
      }),
  };
  return client as unknown as ConnectorClient;
}

/** The acquirer books what it was asked for, so the switch has to ask for what is in the books. A void is asked for without an amount. */
function query(acquirer: Acquirer, { reference = "", amount = 0n, currency = "" }: Wire): { found: boolean; outcome?: WireOutcome } {
  const booked = acquirer.books.get(reference);
  assert(booked === undefined || (booked.amount === amount && booked.currency === currency), "a question is about what was sent");
  return acquirer.query(reference);
}

/** How long the acquirer's queries will not find what it is just booking. */
function hiddenForMs({ life, faults }: LinkOptions, acquirer: Acquirer): number {
  if (!faults.fires("acquirer_contradicts")) return 0;
  return life.world.random.between(0, acquirer.manner.strategy.reversal ? contradictsMsMax : contradictsBelievedMsMax);
}

type Timeout = { readonly timeoutMs: number };
type Wire = {
  readonly connector?: string;
  readonly reference?: string;
  readonly merchantId?: string;
  readonly paymentId?: string;
  readonly authorizationReference?: string;
  readonly amount?: bigint;
  readonly currency?: string;
  readonly capture?: boolean;
};

function common(request: Wire) {
  const { reference = "", merchantId = "", paymentId = "", authorizationReference = "", amount = 0n, currency = "" } = request;
  return { reference, merchantId, paymentId, authorizationReference, amount, currency, isSale: false };
}

/** One request at the connectors process: to the acquirer and back, with what goes wrong on the way. */
function throughLine({ life, faults }: LinkOptions, perform: () => WireOutcome, answer: (outcome: WireOutcome) => void): void {
  const { world } = life;
  const delayMs = () => world.random.between(acquirerMs.min, acquirerMs.max);
  const answerIn = (ms: number, outcome: WireOutcome): void => {
    world.schedule(ms, () => answer(outcome));
  };
  if (faults.fires("acquirer_unreachable")) {
    answerIn(delayMs(), noAnswer("not_sent", "connection_refused"));
    return;
  }
  if (faults.fires("acquirer_silent_before")) {
    answerIn(connectorTimeoutMs, noAnswer("unknown", "timeout"));
    return;
  }
  world.schedule(delayMs(), () => {
    const outcome = perform();
    if (faults.fires("acquirer_hears_twice")) world.schedule(world.random.between(0, lateMsMax), perform);
    if (faults.fires("acquirer_silent_after")) answerIn(connectorTimeoutMs, noAnswer("unknown", "timeout"));
    else if (faults.fires("acquirer_late")) answerIn(world.random.between(0, lateMsMax), outcome);
    else answerIn(delayMs(), outcome);
  });
}
