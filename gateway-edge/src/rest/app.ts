/**
 * The edge's HTTP application, built without listening.
 *
 * Order of a REST request: key, rate, room (doorman.ts), (body is read,) idempotency key, schema, handler, answer. Every answer, also to what is not even HTTP, has
 * the error body of the catalogue and a request id.
 *
 * Fastify routes, reads bodies within their limit and keeps connections; validation, answers and request logs are ours (check-input.ts,
 * answer.ts), because they are hot and have to be exact.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AppError, type ErrorCode, errorCatalogue, invalid } from "@florin/kernel";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import Fastify, { type FastifyInstance, type FastifyPluginCallback, type FastifyReply, type FastifyRequest } from "fastify";
import type { Authenticator } from "../app/authenticate.ts";
import type { FrontDoor } from "../app/front-door.ts";
import type { Payments } from "../app/payments.ts";
import type { RateLimit } from "../app/rate-limit.ts";
import { refuseTwoKeys } from "../app/repeated-header.ts";
import { readStrictBody } from "../app/strict-body.ts";
import type { Tokens } from "../app/tokens.ts";
import type { ApiKey } from "../domain/api-key.ts";
import { limits } from "../domain/limits.ts";
import { problemOfIdempotencyKey } from "../domain/payment-rules.ts";
import { type Answering, createAnswering, unknownRoute } from "./answer.ts";
import { api, type Operation, type OperationId, operationIds } from "./api.ts";
import { answerBrokenRequest } from "./broken-request.ts";
import { compileCheck } from "./check-input.ts";
import { createDoorman } from "./doorman.ts";
import { faultAnswer } from "./error-answer.ts";
import { toEdgeFault } from "./framework-fault.ts";
import { handlers } from "./handlers.ts";
import { nextRequestId } from "./request-id.ts";

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
  readonly tokens: Tokens;
  readonly authenticator: Authenticator;
  readonly rateLimit: RateLimit;
  readonly door: FrontDoor;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** The document of /openapi.json, as text. */
  readonly openapi: string;
  /** Comma-separated addresses and networks whose X-Forwarded-For is believed; empty: nobody's. */
  readonly trustedProxies: string;
  /** Other ways in on the same port: Connect. Their answers get the headers that all have. */
  readonly mount?: FastifyPluginCallback;
  /** How long a slow sender is waited for; the defaults unless a test is in a hurry. */
  readonly patience?: Patience;
};

/** Milliseconds. */
export type Patience = {
  /** A request, head and body, must have come in by then. */
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  /** How often connections are looked at for slow senders. */
  readonly checkEveryMs: number;
};

export type EdgeApp = {
  readonly fastify: FastifyInstance;
  /**
   * Answers go on, with `connection: close`, for `graceMs` (ms); then the port is closed, idle connections with it, and what is still in
   * flight is waited for. Safe to repeat.
   */
  drain(graceMs: number): Promise<void>;
};

const defaultPatience: Patience = { requestTimeoutMs: 30_000, headersTimeoutMs: 10_000, checkEveryMs: 5_000 };
/** Longer than what load balancers keep idle connections, so that they close first (ms). */
const keepAliveTimeoutMs = 75_000;

export function buildApp(o: EdgeAppOptions): EdgeApp {
  const answering = createAnswering(o);
  const doorman = createDoorman({ ...o, answering });
  const { requestTimeoutMs, headersTimeoutMs, checkEveryMs } = o.patience ?? defaultPatience;
  const fastify = Fastify({
    logger: false,
    genReqId: () => nextRequestId(),
    bodyLimit: limits.bodyBytesMax,
    // Ids longer than any id still reach the handler, and the same answer as every other unknown id.
    routerOptions: { maxParamLength: limits.headerBytesMax },
    serverFactory: (route) =>
      createServer(
        {
          requestTimeout: requestTimeoutMs,
          keepAliveTimeout: keepAliveTimeoutMs,
          maxHeaderSize: limits.headerBytesMax,
          headersTimeout: headersTimeoutMs,
          connectionsCheckingInterval: checkEveryMs,
          // Of two Authorization headers Node would take the first and a proxy before us perhaps the second: joined they are neither.
          joinDuplicateHeaders: true,
          // Checked below, where the answer has a body.
          requireHostHeader: false,
        },
        (request, response) => {
          if (!doorman.refuses(request, response)) route(request, response);
        },
      ),
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
  fastify.server.on("checkExpectation", answerExpectation);
  fastify.addHook("onRequest", (request, _reply, done) => {
    request.startedAtMs = performance.now();
    if (request.headers.host === undefined && request.raw.httpVersion === "1.1") done(noHost());
    else done();
  });
  fastify.get("/openapi.json", { config: { operation: "openapi" } }, (request, reply) =>
    answering.send(request, reply, { status: 200, body: o.openapi }, "openapi"),
  );
  const { mount } = o;
  if (mount !== undefined)
    fastify.register((other, _options, done) => {
      other.addHook("onRequest", (request, reply, next) => {
        answering.prepare(request, reply.raw);
        next();
      });
      other.register(mount);
      done();
    });
  fastify.register((rest, _options, done) => {
    rest.removeAllContentTypeParsers();
    rest.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, bytes, parsed) => {
      let body: unknown;
      try {
        body = readStrictBody(bytes as Buffer, request.headers);
      } catch (thrown) {
        parsed(thrown as Error);
        return;
      }
      parsed(null, body);
    });
    rest.addHook("onRequest", (request, _reply, next) => doorman.admit(request, next));
    for (const operationId of operationIds) addOperation(rest, operationId);
    done();
  });
  for (const { method, url } of hiddenRoutes)
    fastify.route({ method, url, handler: (request, reply) => answerUnknownPath(answering, request, reply) });

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
        answering.send(request, reply, await handle(o, readInput(request)), operationId);
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

/** Reads and checks what an operation takes. Throws AppError, nothing was done. */
function inputReader(operation: Operation) {
  const isMutation = operation.method === "POST";
  const hasId = operation.path.includes("{id}");
  const checkBody = operation.body === undefined ? undefined : compileCheck(operation.body, "body");
  const checkQuery = compileCheck(operation.query ?? noQuery, "query");
  const bodyWhenEmpty = operation.isBodyOptional === true ? {} : undefined;
  return (request: FastifyRequest<{ Params: { id?: string } }>) => {
    const { apiKey, headers } = request;
    if (apiKey === undefined) throw invalid("api_key_missing", errorCatalogue.api_key_missing.help);
    // "/v1/payments/": the router takes nothing for an id.
    if (hasId && request.params.id === "") throw invalid("route_unknown", errorCatalogue.route_unknown.help);
    const idempotencyKey = isMutation ? idempotencyKeyOf(request) : "";
    const query = request.query as object;
    if (operation.query !== undefined) refuseBrokenEscapes(request.url);
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

function idempotencyKeyOf({ headers, raw }: FastifyRequest): string {
  const header = headers["idempotency-key"];
  const key = Array.isArray(header) ? header.join(", ") : header;
  refuseTwoKeys(key, raw.rawHeaders);
  const problem = problemOfIdempotencyKey(key, "Idempotency-Key");
  if (problem !== undefined) throw problem;
  return key ?? "";
}

/** The router's reader leaves a broken escape as it stands, and the list would be searched for it. */
function refuseBrokenEscapes(url: string): void {
  const query = url.indexOf("?");
  if (query === -1 || !url.includes("%", query)) return;
  try {
    decodeURIComponent(url.slice(query));
  } catch {
    throw invalid("parameter_invalid", "the query must be UTF-8, percent-encoded");
  }
}

const pathPatterns = operationIds.map((operationId) => {
  const { method, path } = api[operationId];
  return { method, path, pattern: new RegExp(`^${path.replace("{id}", "[^/]+")}$`) };
});

/** `GET /v1/payments/authorize` is not allowed there, and not a question about a payment of that name, for which the router would take it. */
const hiddenRoutes = pathPatterns.flatMap(({ path: url }) => {
  const served = pathPatterns.filter(({ path }) => path === url).map(({ method }) => method);
  const hidden = pathPatterns.filter(({ path, pattern, method }) => path !== url && pattern.test(url) && !served.includes(method));
  return hidden.map(({ method }) => ({ method, url }));
});

/** 404, or 405 with the methods that the path has. Answered without a key: paths are no secret. */
function answerUnknownPath(answering: Answering, request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split("?", 1)[0] ?? "";
  const named = pathPatterns.filter((one) => one.path === path);
  const matching = named.length > 0 ? named : pathPatterns.filter(({ pattern }) => pattern.test(path));
  const methods = [...new Set(matching.map(({ method }) => method))];
  if (path === "/openapi.json") methods.push("GET");
  const code: ErrorCode = methods.length === 0 ? "route_unknown" : "method_not_allowed";
  const answer = faultAnswer(invalid(code, errorCatalogue[code].help), request.id);
  answering.send(request, reply, methods.length === 0 ? answer : { ...answer, allow: methods.join(", ") }, unknownRoute);
}

function noHost(): AppError {
  return invalid("parameter_invalid", "a Host header is required");
}

/** Any Expect but "100-continue", which Node answers itself with a bare 417. */
function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const requestId = nextRequestId();
  const { status, body } = faultAnswer(invalid("parameter_invalid", "Expect may only be 100-continue"), requestId);
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "request-id": requestId,
    connection: "close",
  });
  response.end(body);
}
