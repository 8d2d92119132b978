/**
 * Connect and gRPC-Web on the edge's own port: what stands before and behind the library.
 *
 * Order of a call, as in REST: key, rate, room, (body is read,) message, method. The library speaks the protocols: whatever is refused on the way is
 * handed to it in its gate, so that every refusal has the caller's protocol and the catalogue's code. What is no call at all (another
 * method than POST, another content type) is answered as REST answers it.
 *
 * Deadlines of clients are not taken over: an operation that has begun is finished, whoever still listens. Nothing is compressed, either way.
 */

import type { DescMethod } from "@bufbuild/protobuf";
import { createConnectRouter, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { AppError, errorCatalogue, invalid, toAppError } from "@florin/kernel";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from "fastify";
import type { Authenticator } from "../app/authenticate.ts";
import type { FrontDoor } from "../app/front-door.ts";
import type { Payments } from "../app/payments.ts";
import type { RateLimit } from "../app/rate-limit.ts";
import { refuseTwoKeys } from "../app/repeated-header.ts";
import { refuseEncoding } from "../app/strict-body.ts";
import { limits } from "../domain/limits.ts";
import { isWorkName } from "../domain/workload.ts";
import { checkMessage, messageFormOf } from "./check-message.ts";
import { toConnectError } from "./connect-fault.ts";
import { addPaymentService } from "./payment-service.ts";
import { type Visit, visitKey } from "./visit.ts";

export type ConnectPluginOptions = {
  readonly payments: Payments;
  readonly authenticator: Authenticator;
  readonly rateLimit: RateLimit;
  readonly door: FrontDoor;
  readonly metrics: Pick<Metrics, "count" | "record">;
  readonly logger: Logger;
};

type Router = ReturnType<typeof createConnectRouter>;
type CallHandler = Router["handlers"][number];

/** A Fastify plugin that adds `/florin.payments.v1.PaymentService/*`. */
export function connectPlugin(o: ConnectPluginOptions): FastifyPluginCallback {
  return (fastify: FastifyInstance, _options, done) => {
    const router = createConnectRouter({ grpc: false, readMaxBytes: limits.bodyBytesMax, acceptCompression: [], requestGate: gate });
    addPaymentService(router, o.payments);
    const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser(/^application\//, { parseAs: "buffer" }, (_request, bytes, parsed) => parsed(null, bytes));
    fastify.addHook("onRequest", async (request) => admit(o, request, handlers.get(request.routeOptions.url ?? "")));
    fastify.setErrorHandler((error, request, reply) => {
      const handler = handlers.get(request.routeOptions.url ?? "");
      const fault = faultOf(error);
      // No call of ours: the application's own handler has the words for it.
      if (handler === undefined || fault === undefined || !isCall(request)) throw error;
      return serve(o, { request, reply, handler, fault });
    });
    for (const [url, handler] of handlers) {
      fastify.post(url, (request, reply) => serve(o, { request, reply, handler, fault: undefined }));
      fastify.route({ method: ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"], url, handler: refuseMethod });
    }
    done();
  };
}

/** Proves the key, counts the request and asks whether there is room, before anything of the body is read. */
async function admit(o: ConnectPluginOptions, request: FastifyRequest, handler: CallHandler | undefined): Promise<void> {
  const key = await o.authenticator.authenticate(request.headers.authorization, request);
  o.rateLimit.take(key);
  request.apiKey = key;
  const name = handler?.method.localName ?? "";
  if (isWorkName(name)) o.door.look(name, key.merchantId);
}

/** What is answered in the caller's protocol. */
function faultOf(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error;
  const isTooLarge = error instanceof Error && "code" in error && error.code === "FST_ERR_CTP_BODY_TOO_LARGE";
  return isTooLarge ? invalid("body_too_large", `the body must be at most ${limits.bodyBytesMax} bytes`) : undefined;
}

function isCall({ method, headers }: FastifyRequest): boolean {
  return method === "POST" && messageFormOf(headers["content-type"]) !== undefined;
}

function refuseMethod(_request: FastifyRequest, reply: FastifyReply): never {
  reply.raw.setHeader("allow", "POST");
  throw invalid("method_not_allowed", errorCatalogue.method_not_allowed.help);
}

type Call = {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly handler: CallHandler;
  readonly fault: AppError | undefined;
};

/** Lets the library answer, and counts what came of it. */
async function serve(o: ConnectPluginOptions, { request, reply, handler, fault }: Call): Promise<void> {
  if (!isCall(request))
    throw invalid("invalid_content_type", "the body must be application/json, application/proto or application/grpc-web");
  const startedAtMs = performance.now();
  const visit: Visit = { requestId: request.id, key: request.apiKey, request, fault };
  reply.hijack();
  try {
    const answer = await handler({
      httpVersion: request.raw.httpVersion,
      method: "POST",
      // Never what the Host header says: it may be no host at all.
      url: `http://edge${handler.requestPath}`,
      header: headersOf(request),
      body: once(bodyOf(request)),
      signal: neverAborted,
      contextValues: createContextValues().set(visitKey, visit),
    });
    if (visit.fault !== undefined && errorCatalogue[visit.fault.code].http === 401) reply.raw.setHeader("www-authenticate", "Bearer");
    note(o, handler.method, visit, performance.now() - startedAtMs);
    await universalResponseToNodeResponse(answer, reply.raw);
  } catch (thrown) {
    // Nobody is left to be told, or the library broke: the connection says so.
    o.logger.warn({ request_id: request.id, rpc: handler.method.name, err: toAppError(thrown) }, "call not answered");
    reply.raw.destroy();
  }
}

const neverAborted = new AbortController().signal;

/** Runs before the library reads the body. Throws what it shall answer. */
function gate(context: HandlerContext): void {
  const visit = context.values.get(visitKey);
  if (visit === undefined) throw new Error("a call has a visit");
  try {
    if (visit.fault !== undefined) throw visit.fault;
    checkBody(context.method, visit.request);
  } catch (thrown) {
    visit.fault = toAppError(thrown);
    throw toConnectError(visit.fault);
  }
}

function checkBody(method: DescMethod, request: FastifyRequest): void {
  const { headers, raw } = request;
  for (const name of ["content-encoding", "connect-content-encoding", "grpc-encoding"] as const) refuseEncoding(headers[name]?.toString());
  refuseTwoKeys(headers["idempotency-key"]?.toString(), raw.rawHeaders);
  const form = messageFormOf(headers["content-type"]);
  if (form !== undefined) checkMessage(method.input, form, bodyOf(request));
}

function bodyOf({ body }: FastifyRequest): Buffer {
  return body instanceof Buffer ? body : noBody;
}

const noBody = Buffer.alloc(0);

async function* once(bytes: Buffer): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** Without what would set a deadline, and without what was refused already. */
const droppedHeaders: ReadonlySet<string> = new Set(["connect-timeout-ms", "grpc-timeout", "content-encoding", "grpc-encoding"]);

function headersOf({ headers }: FastifyRequest): Headers {
  const result = new Headers();
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !droppedHeaders.has(name)) result.set(name, Array.isArray(value) ? value.join(", ") : value);
  return result;
}

/** The same facts as of a REST request: a count and a duration; a line only for a bug and for an outcome that the merchant does not know. */
function note(o: ConnectPluginOptions, method: DescMethod, { fault, requestId }: Visit, durationMs: number): void {
  const route = `rpc.${method.localName}`;
  const status_class = fault === undefined ? "2xx" : errorCatalogue[fault.code].http < 500 ? "4xx" : "5xx";
  o.metrics.count("edge_requests_total", { route, status_class });
  o.metrics.record("edge_request_duration_seconds", durationMs / 1_000, { route, status_class });
  if (fault?.code === "internal") o.logger.error({ request_id: requestId, route, err: fault }, "request failed");
  else if (fault?.work === "unknown") o.logger.warn({ request_id: requestId, route, code: fault.code }, "outcome unknown to the merchant");
}
