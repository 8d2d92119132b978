/**
 * simlater: the sandbox's acquirer that answers later, as an example of a processor that calls back. An order is taken with 202; its end comes
 * by a signed callback, or is found by asking for our reference.
 *
 * It looks at no idempotency key, so no order is ever sent twice (src/callbacks/awaited-operations.ts). Cancellations are PUT and may be repeated.
 */
import type { Secret } from "@florin/kernel";
import { type AwaitedOperations, createAwaitedOperations, type Sending } from "../callbacks/awaited-operations.ts";
import { createSignatureCheck, type SignatureCheck } from "../callbacks/signature.ts";
import type {
  AuthorizationLink,
  CallbackReading,
  CallbackRequest,
  Connector,
  ConnectorCall,
  PingAnswer,
  ReverseCommand,
} from "../contract/connector.ts";
import { notSent, type Outcome, type QueryAnswer, unknown } from "../contract/outcome.ts";
import { type OperationKind, operationKindOf } from "../contract/question.ts";
import { wipeCard } from "../contract/wipe-card.ts";
import { createHttpLink, type HttpLink, type LinkAnswer } from "../http1/link.ts";
import { isInHead, keyText, type WrittenRequest } from "../http1/written-request.ts";
import { type Expected, readEvent, readOutcome, readQueryAnswer, readTaken } from "./read-report.ts";
import { createRequestWriter, type RequestWriter, totalOf } from "./write-request.ts";

export type SimlaterOptions = {
  /** http: or https:, host and port. */
  readonly url: URL;
  readonly apiKey: Secret;
  /** By their names; several while one is being replaced. */
  readonly callbackKeys: ReadonlyMap<string, Secret>;
  /** How far a callback's time may be from ours, ms. */
  readonly callbackToleranceMs: number;
  /** Silence after which an order is asked about, ms. */
  readonly askAfterMs: number;
  /** Connections; requests that run at the same time. */
  readonly connectionsMax: number;
  /** Requests that wait for a connection. */
  readonly waitingMax: number;
  readonly connectTimeoutMs: number;
};

/** Below simlater's own 75 s. */
const idleMsMax = 60_000;
/** Orders that wait for their callback. */
const awaitedMax = 16_384;
/** At a thousand orders a second the last minute and a half. */
const rememberedMax = 100_000;
/** Longest wait for an answer to a question that an order's call asks by itself. */
const askTimeoutMs = 2_000;

type Means = { readonly link: HttpLink; readonly writer: RequestWriter; readonly orders: AwaitedOperations<Expected> };

export function createSimlater(options: SimlaterOptions): Connector {
  const { url, connectionsMax, waitingMax, connectTimeoutMs } = options;
  let writer = createRequestWriter(url.host, keyText(options.apiKey));
  const means: Means = {
    link: createHttpLink({ url, connectionsMax, waitingMax, connectTimeoutMs, idleMsMax }),
    get writer() {
      return writer;
    },
    orders: createAwaitedOperations({ isSame, askAfterMs: options.askAfterMs, awaitedMax, rememberedMax }),
  };
  const { link, orders } = means;
  const check = createSignatureCheck({ keys: options.callbackKeys, toleranceMs: options.callbackToleranceMs });
  return {
    name: "simlater",
    capabilities: {
      currencies: [],
      brands: ["visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay"],
      multipleCaptures: true,
      voidAfterCapture: true,
      multipleRefunds: true,
      idempotent: false,
      query: true,
      reversal: true,
      unknownStrategy: "query",
      authorizationHours: 168,
      liveLinks: false,
    },
    authorize(command, card, call) {
      const expected: Expected = { ...command, step: "ORDER" };
      return perform(means, expected, call, () => writer.order(command, card, call)).finally(() => wipeCard(card));
    },
    capture: (command, call) => step(means, { ...command, step: "CLEAR" }, command, call),
    void: (command, call) =>
      step(means, { reference: command.reference, step: "RELEASE", amount: undefined, currency: undefined }, command, call),
    refund: (command, call) => step(means, { ...command, step: "RETURN" }, command, call),
    reverse: (command, call) => cancel(means, command, call),
    query: ({ kind, ...asked }, call) => query(means, { ...asked, step: stepsByKind[kind] }, call),
    ping: (call) => ping(means, call),
    readCallback: (request) => readCallback(orders, check, request),
    callbackSender(headers) {
      const keyId = headers.get(keyHeader) ?? "";
      return options.callbackKeys.has(keyId) ? keyId : undefined;
    },
    rotateSecret(name, secret) {
      const apiKey = keyText(secret ?? options.apiKey);
      if (name !== "api" || !isInHead(apiKey)) return false;
      writer = createRequestWriter(url.host, apiKey);
      return true;
    },
    isUp: () => link.isUp(),
    async close() {
      await orders.close();
      await link.close();
    },
  };
}

function isSame(one: Expected, other: Expected): boolean {
  return one.step === other.step && one.amount === other.amount && one.currency === other.currency;
}

function step(means: Means, expected: Expected, of: AuthorizationLink, call: ConnectorCall): Promise<Outcome> {
  const { reference, amount, currency } = expected;
  const id = of.processorReference === "" ? of.authorizationReference : of.processorReference;
  const total = amount === undefined || currency === undefined ? {} : { total: totalOf(amount, currency) };
  const body = { orderRef: reference, shop: of.merchantId, step: expected.step, ...total };
  return perform(means, expected, call, () => means.writer.send("POST", `/later/orders/${encodeURIComponent(id)}/steps`, body, call));
}

/** An order or a step: sent once, and then waited for. */
function perform(means: Means, expected: Expected, call: ConnectorCall, write: () => WrittenRequest): Promise<Outcome> {
  const { traceparent, deadlineAtMs } = call;
  return means.orders.perform({
    reference: expected.reference,
    expected,
    deadlineAtMs,
    send: () => sendOrder(means.link, write(), expected, deadlineAtMs),
    ask: (byMs) => query(means, expected, { traceparent, deadlineAtMs: Math.min(byMs, Date.now() + askTimeoutMs) }),
  });
}

async function sendOrder(link: HttpLink, request: WrittenRequest, expected: Expected, deadlineAtMs: number): Promise<Sending> {
  const read = (status: number, body: Buffer) => readTaken(status, body, expected);
  const answer = await link.exchange(request.bytes, deadlineAtMs, read, request.wipe);
  request.release();
  if (answer.kind === "answered") return answer.value.sending;
  if (answer.kind === "not_sent") return { kind: "decided", outcome: notSent(answer.cause) };
  return { kind: "unclear", cause: answer.cause };
}

const stepsByKind = { authorization: "ORDER", capture: "CLEAR", void: "RELEASE", refund: "RETURN" } as const satisfies Record<
  OperationKind,
  string
>;

async function cancel({ link, writer }: Means, command: ReverseCommand, call: ConnectorCall): Promise<Outcome> {
  const { reference, originalReference, amount, currency } = command;
  const body = {
    orderRef: reference,
    step: stepsByKind[operationKindOf(originalReference)],
    of: command.authorizationReference,
    shop: command.merchantId,
    purchase: command.paymentId,
    total: totalOf(amount, currency),
  };
  const request = writer.send("PUT", `/later/cancellations/${encodeURIComponent(originalReference)}`, body, call);
  const expected: Expected = { reference, step: "CANCEL", amount: undefined, currency: undefined };
  const answer = await link.exchange(
    request.bytes,
    call.deadlineAtMs,
    (status, bytes) => readOutcome(status, bytes, expected),
    request.wipe,
  );
  request.release();
  return answer.kind === "answered" ? answer.value : answer.kind === "not_sent" ? notSent(answer.cause) : unknown(answer.cause);
}

async function query({ link, writer }: Means, expected: Expected, call: ConnectorCall): Promise<QueryAnswer> {
  const request = writer.get(`/later/orders?ref=${encodeURIComponent(expected.reference)}`, call);
  const answer: LinkAnswer<QueryAnswer> = await link.exchange(request.bytes, call.deadlineAtMs, (status, body) =>
    readQueryAnswer(status, body, expected),
  );
  request.release();
  if (answer.kind === "answered") return answer.value;
  // Whether the question left or not: nobody knows what became of the operation.
  return { kind: "found", outcome: unknown(answer.kind === "not_sent" ? "not_reached" : answer.cause) };
}

async function ping({ link, writer }: Means, call: ConnectorCall): Promise<PingAnswer> {
  const request = writer.get("/later/alive", call);
  const startedAtMs = performance.now();
  const answer = await link.exchange(request.bytes, call.deadlineAtMs, (status) => ({ isUp: status === 200 }));
  request.release();
  if (answer.kind !== "answered" || !answer.value.isUp) return { kind: "down" };
  return { kind: "up", roundTripUs: Math.max(1, Math.round((performance.now() - startedAtMs) * 1_000)) };
}

const keyHeader = "x-later-key";

function readCallback(
  orders: AwaitedOperations<Expected>,
  check: SignatureCheck,
  { headers, body, nowMs }: CallbackRequest,
): CallbackReading {
  const keyId = headers.get(keyHeader) ?? "";
  const time = headers.get("x-later-time") ?? "";
  const verdict = check({ keyId, time, signature: headers.get("x-later-signature") ?? "", body }, nowMs);
  if (verdict !== "right") return { kind: "refused", why: verdict };
  const event = readEvent(body);
  if (event === undefined) return { kind: "refused", why: "malformed" };
  const { eventId, reference, outcomeFor } = event;
  return { kind: "event", eventId, reference, take: () => orders.hear(reference, outcomeFor) };
}
