/**
 * PaymentService over Connect (and gRPC-Web), for callers that are servers: the same contract as inside, the same rules and the same functions
 * as REST.
 *
 * Whose call it is comes from the API key, never from the message. Business answers (declines, replays, "in flight") are in the response, as
 * the contract has them; faults are Connect errors with a `Refusal` as detail.
 */
import { type ConnectRouter, createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { type OperationResult, PaymentService } from "@florin/gen/payments/v1/payments";
import { type AppError, errorCatalogue, invalid, toAppError } from "@florin/kernel";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from "fastify";
import type { Authenticator } from "../app/authenticate.ts";
import type { MerchantCall, Payments } from "../app/payments.ts";
import type { RateLimit } from "../app/rate-limit.ts";
import { limits } from "../domain/limits.ts";
import {
  paymentNotFound,
  problemOfAmount,
  problemOfCreate,
  problemOfCustomerIp,
  problemOfIdempotencyKey,
  problemOfPage,
  problemOfPaymentId,
  problemOfPaymentMethod,
  problemOfReason,
} from "../domain/payment-rules.ts";
import { toConnectError } from "./connect-fault.ts";

export type ConnectServiceOptions = {
  readonly payments: Payments;
  readonly authenticator: Authenticator;
  readonly rateLimit: RateLimit;
  readonly metrics: Pick<Metrics, "count" | "record">;
  readonly logger: Logger;
};

const fastifyRequest = createContextKey<FastifyRequest | undefined>(undefined);
const unknownRequestId = "";

/** A Fastify plugin that adds `/florin.payments.v1.PaymentService/*`. Parsers of the surrounding application do not reach it. */
export function connectPlugin(o: ConnectServiceOptions): FastifyPluginCallback {
  return (fastify: FastifyInstance, _options, done) => {
    fastify.removeAllContentTypeParsers();
    fastify.register(fastifyConnectPlugin, {
      routes: (router: ConnectRouter) => void addPaymentService(router, o),
      contextValues: (request: FastifyRequest) => createContextValues().set(fastifyRequest, request),
      readMaxBytes: limits.bodyBytesMax,
      // Deadlines of clients are not taken over: an operation that has begun is finished, whoever still listens.
      grpc: false,
    });
    done();
  };
}

function addPaymentService(router: ConnectRouter, o: ConnectServiceOptions): void {
  const { payments } = o;
  const mutate = async <R extends { readonly idempotencyKey: string }>(
    request: R,
    context: HandlerContext,
    problem: AppError | undefined,
    run: (call: MerchantCall, idempotencyKey: string) => Promise<OperationResult>,
  ) =>
    admitted(o, context, async (call) => {
      const idempotencyKey = idempotencyKeyOf(request.idempotencyKey, context);
      refuse(problem);
      const result = await run(call, idempotencyKey);
      if (result.retryAfterMs > 0) context.responseHeader.set("retry-after", String(Math.ceil(result.retryAfterMs / 1_000)));
      return { result };
    });
  router.service(PaymentService, {
    createPayment: (request, context) =>
      mutate(request, context, problemOfCreate(request), (call, idempotencyKey) =>
        payments.create(call, { ...withoutCaller(request), idempotencyKey }),
      ),
    authorizePayment: (request, context) => {
      const problem =
        problemOfPaymentMethod(request.paymentMethod) ?? problemOfCustomerIp(request.customerIp) ?? problemOfPaymentId(request.paymentId);
      return mutate(request, context, problem, (call, idempotencyKey) =>
        payments.authorize(call, { ...withoutCaller(request), idempotencyKey }),
      );
    },
    capturePayment: (request, context) =>
      mutate(request, context, problemOfAmount(request.amount) ?? problemOfPaymentId(request.paymentId), (call, idempotencyKey) =>
        payments.capture(call, { ...withoutCaller(request), idempotencyKey }),
      ),
    voidPayment: (request, context) =>
      mutate(request, context, problemOfPaymentId(request.paymentId), (call, idempotencyKey) =>
        payments.void(call, { ...withoutCaller(request), idempotencyKey }),
      ),
    refundPayment: (request, context) => {
      const problem = problemOfReason(request.reason) ?? problemOfAmount(request.amount) ?? problemOfPaymentId(request.paymentId);
      return mutate(request, context, problem, (call, idempotencyKey) =>
        payments.refund(call, { ...withoutCaller(request), idempotencyKey }),
      );
    },
    getPayment: ({ paymentId }, context) =>
      admitted(o, context, async (call) => {
        refuse(problemOfPaymentId(paymentId));
        const found = await payments.get(call, paymentId);
        if (found.payment === undefined) throw paymentNotFound();
        return found;
      }),
    listPayments: (request, context) =>
      admitted(o, context, (call) => {
        refuse(problemOfPage(request.limit));
        return payments.list(call, withoutCaller(request));
      }),
    listPaymentEvents: (request, context) =>
      admitted(o, context, async (call) => {
        refuse(problemOfPage(request.limit) ?? problemOfPaymentId(request.paymentId));
        const page = await payments.listEvents(call, withoutCaller(request));
        if (!page.found) throw paymentNotFound();
        return page;
      }),
  });
}

/** Proves the key, counts the request, runs `work`, and puts its faults into Connect's words. */
async function admitted<T>(o: ConnectServiceOptions, context: HandlerContext, work: (call: MerchantCall) => Promise<T>): Promise<T> {
  const request = context.values.get(fastifyRequest);
  const requestId = request?.id ?? unknownRequestId;
  const startedAtMs = performance.now();
  const count = (status_class: "2xx" | "4xx" | "5xx"): void => {
    const labels = { route: `rpc.${context.method.localName}`, status_class };
    o.metrics.count("edge_requests_total", labels);
    o.metrics.record("edge_request_duration_seconds", (performance.now() - startedAtMs) / 1_000, labels);
  };
  try {
    const key = await o.authenticator.authenticate(context.requestHeader.get("authorization") ?? undefined, { ip: request?.ip ?? "" });
    o.rateLimit.take(key);
    context.responseHeader.set("request-id", requestId);
    const answer = await work({ key, requestId, traceparent: context.requestHeader.get("traceparent") ?? undefined });
    count("2xx");
    return answer;
  } catch (thrown) {
    const fault = toAppError(thrown);
    count(errorCatalogue[fault.code].http < 500 ? "4xx" : "5xx");
    if (fault.code === "internal") o.logger.error({ request_id: requestId, rpc: context.method.name, err: fault }, "request failed");
    throw toConnectError(fault, requestId);
  }
}

/** The key stands in the message or in the header; in both it must be the same. */
function idempotencyKeyOf(inMessage: string, context: HandlerContext): string {
  const inHeader = context.requestHeader.get("idempotency-key") ?? "";
  if (inMessage !== "" && inHeader !== "" && inMessage !== inHeader)
    throw invalid("idempotency_key_invalid", "the idempotency key in the message is not the one in the header", "idempotency_key");
  const key = inMessage === "" ? inHeader : inMessage;
  refuse(problemOfIdempotencyKey(key, "idempotency_key"));
  return key;
}

/** What the message says about its caller is not believed, so it does not travel on. */
function withoutCaller<R extends { readonly $typeName: string; readonly caller?: unknown }>(
  request: R,
): Omit<R, "$typeName" | "$unknown" | "caller"> {
  const { $typeName: _type, caller: _caller, ...rest } = request;
  return rest as Omit<R, "$typeName" | "$unknown" | "caller">;
}

function refuse(problem: AppError | undefined): void {
  if (problem !== undefined) throw problem;
}
