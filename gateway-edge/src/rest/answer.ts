/**
 * The one place where an answer of the REST API goes out: status, headers, body, and what is measured and logged of it.
 *
 * The head is written as one flat list straight to Node's response: Fastify's reply would copy the headers twice. One line per request
 * is logged at debug. A 500 is always logged, with its cause, and so is an outcome that is unknown to the merchant; a refusal for want of
 * room (429, 503) is counted only, because a flood of them must not become a flood of lines.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { holdsCardNumber } from "@florin/detector";
import type { AppError } from "@florin/kernel";
import type { BoundCounter, BoundHistogram, Logger, Metrics } from "@florin/runtime/telemetry";
import type { FastifyReply, FastifyRequest } from "fastify";
import { limits } from "../domain/limits.ts";
import { type ErrorAnswer, faultAnswer } from "./error-answer.ts";

export type Answer = {
  readonly status: number;
  readonly body: string;
  readonly retryAfterS?: number | undefined;
  readonly isReplayed?: boolean;
  /** Methods that the path has, for 405. */
  readonly allow?: string;
};

/** What an answer says of its request; a framework's request is one. */
export type Asked = {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  /** From `performance.now()`. */
  readonly startedAtMs: number;
};

export interface Answering {
  /** `route` names the operation in metrics and logs. */
  send(request: FastifyRequest, reply: FastifyReply, answer: Answer, route: string): void;
  sendFault(request: FastifyRequest, reply: FastifyReply, fault: AppError): void;
  /** The same for a request that the framework has not seen. */
  writeFault(response: ServerResponse, asked: Asked, fault: AppError, route: string): void;
  /** Sets the headers that every answer has, on an answer that somebody else will write. */
  prepare(request: FastifyRequest, response: ServerResponse): void;
  /** From here on every answer asks the client to close its connection. */
  beginDraining(): void;
}

/** On every answer. Nothing of ours may be cached, sniffed, framed or run. */
const constantHeaders = [
  "content-type",
  "application/json; charset=utf-8",
  "cache-control",
  "no-store",
  "x-content-type-options",
  "nosniff",
  "content-security-policy",
  "default-src 'none'; frame-ancestors 'none'",
] as const;

/** Where the content type ends in `constantHeaders`: who writes an answer knows that best. */
const contentTypeEnd = 2;

const callerRequestIdForm = new RegExp(`^[\\x21-\\x7e]{1,${limits.callerRequestIdLengthMax}}$`);

/**
 * What the caller calls this request, given back so that it finds its own logs. Printable and bounded, or not given back at all. It is no
 * more than that: the id in answers, logs and the audit trail is ours, because a caller's may repeat. One that holds a card number is not repeated.
 */
function callerRequestId({ headers }: Asked): string | undefined {
  const id = headers["x-request-id"];
  return typeof id === "string" && callerRequestIdForm.test(id) && !holdsCardNumber(id) ? id : undefined;
}

/** Route of what matches none, in metrics and logs. */
export const unknownRoute = "unknown";

const classes = ["2xx", "3xx", "4xx", "5xx"] as const;
type Instruments = { readonly durations: readonly BoundHistogram[]; readonly counts: readonly BoundCounter[] };

export function createAnswering(o: { metrics: Metrics; logger: Logger }): Answering {
  const { metrics, logger } = o;
  const instruments = new Map<string, Instruments>();
  let isDraining = false;

  const instrumentsOf = (route: string): Instruments => {
    const known = instruments.get(route);
    if (known !== undefined) return known;
    const made = {
      durations: classes.map((status_class) => metrics.histogram("edge_request_duration_seconds", { route, status_class })),
      counts: classes.map((status_class) => metrics.counter("edge_requests_total", { route, status_class })),
    };
    instruments.set(route, made);
    return made;
  };

  const write = (response: ServerResponse, asked: Asked, answer: Answer, route: string): void => {
    const { status, body } = answer;
    const lengthBytes = Buffer.byteLength(body);
    const headers: (string | number)[] = [...constantHeaders, "content-length", lengthBytes, "request-id", asked.id];
    if (answer.retryAfterS !== undefined) headers.push("retry-after", answer.retryAfterS);
    if (answer.isReplayed === true) headers.push("idempotent-replayed", "true");
    if (answer.allow !== undefined) headers.push("allow", answer.allow);
    const callersId = callerRequestId(asked);
    if (callersId !== undefined) headers.push("x-request-id", callersId);
    if (status === 401) headers.push("www-authenticate", "Bearer");
    // What was not read would be taken for the next request, or has to be read for nothing.
    if (isDraining || status === 413 || status === 431) headers.push("connection", "close");
    // Node takes numbers in a flat list too; its types do not say so.
    response.writeHead(status, headers as string[]);
    // Plain ASCII, which most bodies are, is written a good deal faster as what it is.
    response.end(body, lengthBytes === body.length ? "latin1" : "utf8");
    const { durations, counts } = instrumentsOf(route);
    const index = Math.trunc(status / 100) - 2;
    const durationMs = performance.now() - asked.startedAtMs;
    durations[index]?.record(durationMs / 1_000);
    counts[index]?.add();
    if (logger.isLevelEnabled("debug"))
      logger.debug(
        {
          request_id: asked.id,
          caller_request_id: callersId,
          route,
          status,
          duration_ms: Math.round(durationMs * 1_000) / 1_000,
        },
        "request answered",
      );
  };

  const writeFault = (response: ServerResponse, asked: Asked, fault: AppError, route: string): void => {
    const answer: ErrorAnswer = faultAnswer(fault, asked.id);
    if (answer.status === 500) logger.error({ request_id: asked.id, route, err: fault }, "request failed");
    else if (fault.work === "unknown") logger.warn({ request_id: asked.id, route, code: fault.code }, "outcome unknown to the merchant");
    write(response, asked, answer, route);
  };

  return {
    send(request, reply, answer, route) {
      reply.hijack();
      write(reply.raw, request, answer, route);
    },
    sendFault(request, reply, fault) {
      reply.hijack();
      writeFault(reply.raw, request, fault, request.routeOptions.config.operation ?? unknownRoute);
    },
    writeFault,
    prepare(request, response) {
      for (let index = contentTypeEnd; index < constantHeaders.length; index += 2)
        response.setHeader(constantHeaders[index] as string, constantHeaders[index + 1] as string);
      response.setHeader("request-id", request.id);
      const callersId = callerRequestId(request);
      if (callersId !== undefined) response.setHeader("x-request-id", callersId);
      if (isDraining) response.setHeader("connection", "close");
    },
    beginDraining() {
      isDraining = true;
    },
  };
}
