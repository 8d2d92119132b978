/**
 * simpay: the acquirer of the sandbox. JSON over HTTP with keep-alive; our reference is its `Idempotency-Key` and the key of its query.
 */
import type { Secret } from "@florin/kernel";
import type { AuthorizationLink, Connector, ConnectorCall, PingAnswer } from "../contract/connector.ts";
import { notSent, type Outcome, type QueryAnswer, unknown } from "../contract/outcome.ts";
import { operationKindOf } from "../contract/question.ts";
import { createHttpLink, type HttpLink, type LinkAnswer } from "../http1/link.ts";
import { isInHead, keyText, type WrittenRequest } from "../http1/written-request.ts";
import { type Expected, readOutcome, readQueryAnswer } from "./read-answer.ts";
import { createRequestWriter, type RequestWriter } from "./write-request.ts";

export type SimpayOptions = {
  /** http: or https:, host and port. */
  readonly url: URL;
  readonly apiKey: Secret;
  /** Connections; requests that run at the same time. */
  readonly connectionsMax: number;
  /** Requests that wait for a connection. */
  readonly waitingMax: number;
  readonly connectTimeoutMs: number;
};

/** Below simpay's own 75 s. */
const idleMsMax = 60_000;

export function createSimpay(options: SimpayOptions): Connector {
  const { connectionsMax, waitingMax, connectTimeoutMs, url } = options;
  const link = createHttpLink({ url, connectionsMax, waitingMax, connectTimeoutMs, idleMsMax });
  let writer = createRequestWriter(url.host, keyText(options.apiKey));
  return {
    name: "simpay",
    capabilities: {
      currencies: [],
      brands: ["visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay"],
      multipleCaptures: true,
      voidAfterCapture: true,
      multipleRefunds: true,
      idempotent: true,
      query: true,
      reversal: true,
      unknownStrategy: "query",
      authorizationHours: 168,
      liveLinks: false,
    },
    authorize(command, card, call) {
      const expected: Expected = { ...command, operation: "authorization" };
      return operate(link, writer.authorize(command, card, call), expected, call);
    },
    capture(command, call) {
      const body = movementBody(command);
      return move({ link, writer, call }, { path: "captures", link: command, body }, { ...command, operation: "capture" });
    },
    void(command, call) {
      const body = `{"merchant_id":${JSON.stringify(command.merchantId)}}`;
      const expected: Expected = { reference: command.reference, operation: "void", amount: undefined, currency: undefined };
      return move({ link, writer, call }, { path: "voids", link: command, body }, expected);
    },
    refund(command, call) {
      const body = movementBody(command);
      return move({ link, writer, call }, { path: "refunds", link: command, body }, { ...command, operation: "refund" });
    },
    reverse(command, call) {
      const { originalReference, authorizationReference, merchantId, paymentId, amount, currency, reference } = command;
      const body = JSON.stringify({
        original_reference: originalReference,
        original_operation: operationKindOf(originalReference),
        authorization_reference: authorizationReference,
        merchant_id: merchantId,
        payment_id: paymentId,
        amount: Number(amount),
        currency,
      });
      const expected: Expected = { reference, operation: "reversal", amount: undefined, currency: undefined };
      return operate(link, writer.post("/v1/reversals", reference, body, call), expected, call);
    },
    query: ({ kind, ...asked }, call) => query({ link, writer, call }, { ...asked, operation: kind }),
    ping: (call) => ping(link, writer, call),
    rotateSecret(name, secret) {
      const apiKey = keyText(secret ?? options.apiKey);
      if (name !== "api" || !isInHead(apiKey)) return false;
      // Requests that were written have the old key in their bytes.
      writer = createRequestWriter(url.host, apiKey);
      return true;
    },
    isUp: () => link.isUp(),
    close: () => link.close(),
  };
}

function movementBody(command: { merchantId: string; amount: bigint; currency: string; reason?: string }): string {
  const reason = command.reason === undefined || command.reason === "" ? "" : `,"reason":${JSON.stringify(command.reason.slice(0, 255))}`;
  return `{"merchant_id":${JSON.stringify(command.merchantId)},"amount":${command.amount},"currency":${JSON.stringify(command.currency)}${reason}}`;
}

type Means = { readonly link: HttpLink; readonly writer: RequestWriter; readonly call: ConnectorCall };
type Movement = { readonly path: "captures" | "voids" | "refunds"; readonly link: AuthorizationLink; readonly body: string };

function move({ link, writer, call }: Means, movement: Movement, expected: Expected): Promise<Outcome> {
  const { processorReference, authorizationReference } = movement.link;
  const id = encodeURIComponent(processorReference === "" ? authorizationReference : processorReference);
  const request = writer.post(`/v1/authorizations/${id}/${movement.path}`, expected.reference, movement.body, call);
  return operate(link, request, expected, call);
}

async function operate(link: HttpLink, request: WrittenRequest, expected: Expected, call: ConnectorCall): Promise<Outcome> {
  const read = (status: number, body: Buffer) => readOutcome(status, body, expected);
  const answer = await link.exchange(request.bytes, call.deadlineAtMs, read, request.wipe);
  request.release();
  return answer.kind === "answered" ? answer.value : answer.kind === "not_sent" ? notSent(answer.cause) : unknown(answer.cause);
}

async function query({ link, writer, call }: Means, expected: Expected): Promise<QueryAnswer> {
  const request = writer.get(`/v1/operations/${encodeURIComponent(expected.reference)}`, call);
  const answer: LinkAnswer<QueryAnswer> = await link.exchange(request.bytes, call.deadlineAtMs, (status, body) =>
    readQueryAnswer(status, body, expected),
  );
  request.release();
  if (answer.kind === "answered") return answer.value;
  // Whether the question left or not: nobody knows what became of the operation.
  return { kind: "found", outcome: unknown(answer.kind === "not_sent" ? "not_reached" : answer.cause) };
}

async function ping(link: HttpLink, writer: RequestWriter, call: ConnectorCall): Promise<PingAnswer> {
  const request = writer.get("/v1/ping", call);
  const startedAtMs = performance.now();
  const answer = await link.exchange(request.bytes, call.deadlineAtMs, (status) => ({ isUp: status === 200 }));
  request.release();
  if (answer.kind !== "answered" || !answer.value.isUp) return { kind: "down" };
  return { kind: "up", roundTripUs: Math.max(1, Math.round((performance.now() - startedAtMs) * 1_000)) };
}
