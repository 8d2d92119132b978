/**
 * The edge's HTTP application, built without listening.
 *
 * Order of a REST request: key, rate, (body is read,) idempotency key, schema, handler, answer. Every answer, also to what is not even HTTP, has
 * the error body of the catalogue and a request id.
 *
 * Fastify routes, reads bodies within their limit and keeps connections; validation, answers and request logs are ours (check-input.ts,
 * answer.ts), because they are hot and have to be exact.
 */
import type { Socket } from "node:net";
import { type AppError, type ErrorCode, errorCatalogue, invalid } from "@florin/kernel";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import Fastify, { type FastifyInstance, type FastifyPluginCallback, type FastifyReply, type FastifyRequest } from "fastify";
import type { Authenticator } from "../app/authenticate.ts";
import type { Payments } from "../app/payments.ts";
import type { RateLimit } from "../app/rate-limit.ts";
import type { ApiKey } from "../domain/api-key.ts";
import { limits } from "../domain/limits.ts";
import { problemOfIdempotencyKey } from "../domain/payment-rules.ts";
import { type Answering, createAnswering, unknownRoute } from "./answer.ts";
import { api, type Operation, type OperationId, operationIds } from "./api.ts";
import { compileCheck } from "./check-input.ts";
import { faultAnswer } from "./error-answer.ts";
import { toEdgeFault } from "./framework-fault.ts";
import { handlers } from "./handlers.ts";
import { nextRequestId } from "./request-id.ts";
import { readStrictBody } from "./strict-body.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Whose request it is. Set before the body is read. */
    apiKey: ApiKey | undefined;
    /** From `performance.now()`. */
    startedAtMs: number;
  }
  interface FastifyContextConfig {
    /** Name of the operation in metrics and logs. */
    operation?: string;
  }
}

export type EdgeAppOptions = {
  readonly payments: Payments;
  readonly authenticator: Authenticator;
  readonly rateLimit: RateLimit;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** The document of /openapi.json, as text. */
  readonly openapi: string;
  /** Comma-separated addresses and networks whose X-Forwarded-For is believed; empty: nobody's. */
  readonly trustedProxies: string;
  /** Other ways in on the same port: Connect. */
  readonly mount?: FastifyPluginCallback;
};

export type EdgeApp = {
  readonly fastify: FastifyInstance;
  /**
   * Answers go on, with `connection: close`, for `graceMs` (ms); then the port is closed, idle connections with it, and what is still in
   * flight is waited for. Safe to repeat.
   */
  drain(graceMs: number): Promise<void>;
};

/** A request, head and body, must have come in by then (ms). */
const requestTimeoutMs = 30_000;
const headersTimeoutMs = 10_000;
/** How often connections are looked at for slow senders (ms). */
const slowCheckEveryMs = 5_000;
/** Longer than what load balancers keep idle connections, so that they close first (ms). */
const keepAliveTimeoutMs = 75_000;

export function buildApp(o: EdgeAppOptions): EdgeApp {
  const answering = createAnswering(o);
  const fastify = Fastify({
    logger: false,
    genReqId: () => nextRequestId(),
    bodyLimit: limits.bodyBytesMax,
    // Ids longer than any id still reach the handler, and the same answer as every other unknown id.
    routerOptions: { maxParamLength: limits.headerBytesMax },
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    http: { maxHeaderSize: limits.headerBytesMax, headersTimeout: headersTimeoutMs, connectionsCheckingInterval: slowCheckEveryMs },
    // Whatever arrives on an open connection while we drain is still answered.
    return503OnClosing: false,
    forceCloseConnections: "idle",
    exposeHeadRoutes: false,
    ...(o.trustedProxies === "" ? {} : { trustProxy: o.trustedProxies }),
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, request, reply) => {
      request.startedAtMs ??= performance.now();
      answering.sendFault(request as FastifyRequest, reply as FastifyReply, toEdgeFault(error));
    },
  });
  fastify.decorateRequest("apiKey", undefined);
  fastify.decorateRequest("startedAtMs", 0);
  fastify.setErrorHandler((error, request, reply) => answering.sendFault(request, reply, toEdgeFault(error)));
  fastify.setNotFoundHandler((request, reply) => answerUnknownPath(answering, request, reply));
  // Bodies of paths that read none are left alone.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser("*", (_request, _payload, done) => done(null));
  fastify.addHook("onRequest", (request, _reply, done) => {
    request.startedAtMs = performance.now();
    done();
  });
  fastify.get("/openapi.json", { config: { operation: "openapi" } }, (request, reply) =>
    answering.send(request, reply, { status: 200, body: o.openapi }, "openapi"),
  );
  if (o.mount !== undefined) fastify.register(o.mount);
  fastify.register((rest, _options, done) => {
    rest.removeAllContentTypeParsers();
    rest.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, bytes, parsed) => {
      let body: unknown;
      try {
        body = readStrictBody(bytes as Buffer, request.headers["content-type"]);
      } catch (thrown) {
        parsed(thrown as Error);
        return;
      }
      parsed(null, body);
    });
    rest.addHook("onRequest", (request, _reply, next) => admit(o, request, next));
    for (const operationId of operationIds) addOperation(rest, operationId);
    done();
  });

  const addOperation = (rest: FastifyInstance, operationId: OperationId): void => {
    const operation = api[operationId];
    const handle = handlers[operationId];
    const readInput = inputReader(operation);
    rest.route<{ Params: { id?: string } }>({
      method: operation.method,
      url: operation.path.replace("{id}", ":id"),
      config: { operation: operationId },
      handler: (request, reply) => void answerWith(request, reply),
    });
    const answerWith = async (request: FastifyRequest<{ Params: { id?: string } }>, reply: FastifyReply): Promise<void> => {
      try {
        answering.send(request, reply, await handle(o.payments, readInput(request)), operationId);
      } catch (thrown) {
        answering.sendFault(request, reply, toEdgeFault(thrown));
      }
    };
  };

  let drained: Promise<void> | undefined;
  return {
    fastify,
    drain(graceMs) {
      drained ??= (async () => {
        answering.beginDraining();
        await new Promise((resolve) => setTimeout(resolve, graceMs));
        await fastify.close();
      })();
      return drained;
    },
  };
}

type Next = (error?: Error) => void;

/** Proves the key and counts the request, at once when the key is in the cache. */
function admit(o: Pick<EdgeAppOptions, "authenticator" | "rateLimit">, request: FastifyRequest, next: Next): void {
  const admitKey = (key: ApiKey): void => {
    request.apiKey = key;
    o.rateLimit.take(key);
  };
  let pending: Promise<void> | undefined;
  try {
    const key = o.authenticator.authenticate(request.headers.authorization, request);
    if (key instanceof Promise) pending = key.then(admitKey);
    else admitKey(key);
  } catch (thrown) {
    next(thrown as Error);
    return;
  }
  if (pending === undefined) next();
  else pending.then(() => next(), next);
}

/** Reads and checks what an operation takes. Throws AppError, nothing was done. */
function inputReader(operation: Operation) {
  const isMutation = operation.method === "POST";
  const checkBody = operation.body === undefined ? undefined : compileCheck(operation.body, "body");
  const checkQuery = compileCheck(operation.query ?? noQuery, "query");
  const bodyWhenEmpty = operation.isBodyOptional === true ? {} : undefined;
  return (request: FastifyRequest<{ Params: { id?: string } }>) => {
    const { apiKey, headers } = request;
    if (apiKey === undefined) throw invalid("api_key_missing", errorCatalogue.api_key_missing.help);
    const idempotencyKey = isMutation ? idempotencyKeyOf(headers["idempotency-key"]) : "";
    const query = request.query as object;
    const body = request.body ?? bodyWhenEmpty;
    checkQuery(query);
    if (checkBody !== undefined) {
      if (body === undefined) throw invalid("invalid_json", "a JSON body is required");
      checkBody(body);
    }
    const traceparent = typeof headers["traceparent"] === "string" ? headers["traceparent"] : undefined;
    return { call: { key: apiKey, requestId: request.id, traceparent }, idempotencyKey, id: request.params.id ?? "", body, query };
  };
}

const noQuery = { type: "object", additionalProperties: false } as const;

function idempotencyKeyOf(header: string | string[] | undefined): string {
  const key = Array.isArray(header) ? header.join(", ") : header;
  const problem = problemOfIdempotencyKey(key, "Idempotency-Key");
  if (problem !== undefined) throw problem;
  return key ?? "";
}

const pathPatterns = operationIds.map((operationId) => {
  const { method, path } = api[operationId];
  return { method, pattern: new RegExp(`^${path.replace("{id}", "[^/]+")}$`) };
});

/** 404, or 405 with the methods that the path has. Answered without a key: paths are no secret. */
function answerUnknownPath(answering: Answering, request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split("?", 1)[0] ?? "";
  const methods = [...new Set(pathPatterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))];
  if (path === "/openapi.json") methods.push("GET");
  const code: ErrorCode = methods.length === 0 ? "route_unknown" : "method_not_allowed";
  const answer = faultAnswer(invalid(code, errorCatalogue[code].help), request.id);
  answering.send(request, reply, methods.length === 0 ? answer : { ...answer, allow: methods.join(", ") }, unknownRoute);
}

/** A request that Node could not read. There is no request object: the answer is written to the socket. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = nextRequestId();
  const fault: AppError = toEdgeFault(error.code === undefined ? { code: "HPE_INTERNAL" } : error);
  const { status, body } = faultAnswer(fault, requestId);
  const reason = status === 431 ? "Request Header Fields Too Large" : status === 400 ? "Bad Request" : "Internal Server Error";
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
  );
}
