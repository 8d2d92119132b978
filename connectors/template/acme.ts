/**
 * acme: fill in who it is, and the version of its documentation that this follows.
 */

import type { Secret } from "@florin/kernel";
import type { AuthorizationLink, Connector, ConnectorCall, PingAnswer, ReverseCommand } from "../src/contract/connector.ts";
import { notSent, type Outcome, type QueryAnswer, unknown } from "../src/contract/outcome.ts";
import { createHttpLink, type HttpLink, type LinkAnswer } from "../src/http1/link.ts";
import type { WrittenRequest } from "../src/http1/written-request.ts";
import { type Expected, readOutcome, readQueryAnswer } from "./read-answer.ts";
import { createRequestWriter, type RequestWriter } from "./write-request.ts";

export type AcmeOptions = {
  /** http: or https:, host and port. */
  readonly url: URL;
  readonly apiKey: Secret;
  /** Connections; requests that run at the same time. */
  readonly connectionsMax: number;
  /** Requests that wait for a connection. */
  readonly waitingMax: number;
  readonly connectTimeoutMs: number;
};

/** Fill in: below the time after which acme closes an idle connection. */
const idleMsMax = 20_000;

type Means = { readonly link: HttpLink; readonly writer: RequestWriter };

export function createAcme(options: AcmeOptions): Connector {
  const { url, connectionsMax, waitingMax, connectTimeoutMs } = options;
  const means: Means = {
    link: createHttpLink({ url, connectionsMax, waitingMax, connectTimeoutMs, idleMsMax }),
    writer: createRequestWriter(url.host, Buffer.from(options.apiKey.expose()).toString("latin1")),
  };
  const { link, writer } = means;
  return {
    name: "acme",
    // Fill in: what the documentation promises, and nothing else. As they stand here these promise the least: an outcome that nobody knows
    // waits for the settlement file.
    capabilities: {
      currencies: [],
      brands: [],
      multipleCaptures: false,
      voidAfterCapture: false,
      multipleRefunds: false,
      idempotent: false,
      query: false,
      reversal: false,
      unknownStrategy: "file",
      authorizationHours: 168,
      liveLinks: false,
    },
    authorize(command, card, call) {
      const expected: Expected = { ...aboutMoney(command), kind: "authorization" };
      return operate(link, writer.authorize(command, card, call), expected, call);
    },
    capture: (command, call) => move(means, "captures", command, { ...aboutMoney(command), kind: "capture" }, call),
    void: (command, call) => move(means, "voids", command, { ...withoutMoney(command), kind: "void" }, call),
    refund: (command, call) => move(means, "refunds", command, { ...aboutMoney(command), kind: "refund" }, call),
    reverse: (command, call) => reverse(means, command, call),
    query: (question, call) => query(means, question, call),
    ping: (call) => ping(means, call),
    isUp: () => link.isUp(),
    close: () => link.close(),
  };
}

type Sent = { readonly reference: string; readonly amount: bigint; readonly currency: string };

function aboutMoney({ reference, amount, currency }: Sent) {
  return { reference, amount, currency };
}

function withoutMoney({ reference }: Pick<Sent, "reference">) {
  return { reference, amount: undefined, currency: undefined };
}

/** Fill in: path and body of what is done to an authorization. */
function move({ link, writer }: Means, path: string, of: AuthorizationLink, expected: Expected, call: ConnectorCall): Promise<Outcome> {
  const { reference, amount, currency } = expected;
  const id = encodeURIComponent(of.processorReference === "" ? of.authorizationReference : of.processorReference);
  const body = { reference, ...(amount === undefined ? {} : { amount: String(amount), currency }) };
  return operate(link, writer.post(`/payments/${id}/${path}`, reference, body, call), expected, call);
}

/** Fill in, or leave `capabilities.reversal` false: then it is never called. */
function reverse({ link, writer }: Means, command: ReverseCommand, call: ConnectorCall): Promise<Outcome> {
  const { reference, originalReference } = command;
  const request = writer.post("/reversals", reference, { reference, original: originalReference }, call);
  return operate(link, request, { ...withoutMoney(command), kind: "reversal" }, call);
}

/**
 * One request and its answer; what comes back is settled here for all operations. The link sends these bytes at most once, and a command that comes
 * again is sent again: one effect only if acme looks at our reference as a key. Fill in: where it does not (`idempotent: false`), remember what was
 * sent and ask instead (`src/callbacks/awaited-operations.ts`, used by simlater). The conformance suite fails until then.
 */
async function operate(link: HttpLink, request: WrittenRequest, expected: Expected, call: ConnectorCall): Promise<Outcome> {
  const read = (status: number, body: Buffer) => readOutcome(status, body, expected);
  const answer = await link.exchange(request.bytes, call.deadlineAtMs, read, request.wipe);
  request.release();
  return answer.kind === "answered" ? answer.value : answer.kind === "not_sent" ? notSent(answer.cause) : unknown(answer.cause);
}

/** Fill in the path, or leave `capabilities.query` false. */
async function query({ link, writer }: Means, expected: Expected, call: ConnectorCall): Promise<QueryAnswer> {
  const request = writer.get(`/payments?reference=${encodeURIComponent(expected.reference)}`, call);
  const answer: LinkAnswer<QueryAnswer> = await link.exchange(request.bytes, call.deadlineAtMs, (status, body) =>
    readQueryAnswer(status, body, expected),
  );
  request.release();
  if (answer.kind === "answered") return answer.value;
  // Whether the question left or not: nobody knows what became of the operation.
  return { kind: "found", outcome: unknown(answer.kind === "not_sent" ? "not_reached" : answer.cause) };
}

/** Fill in: something cheap that acme answers with 200. */
async function ping({ link, writer }: Means, call: ConnectorCall): Promise<PingAnswer> {
  const request = writer.get("/ping", call);
  const startedAtMs = performance.now();
  const answer = await link.exchange(request.bytes, call.deadlineAtMs, (status) => ({ isUp: status === 200 }));
  request.release();
  if (answer.kind !== "answered" || !answer.value.isUp) return { kind: "down" };
  return { kind: "up", roundTripUs: Math.max(1, Math.round((performance.now() - startedAtMs) * 1_000)) };
}
