/**
 * PaymentService over Connect (and gRPC-Web), for callers that are servers: the same contract as inside, the same rules and the same functions
 * as REST.
 *
 * Whose call it is comes from the API key, never from the message. Business answers (declines, replays, "in flight") are in the response, as
 * the contract has them; faults are Connect errors with a `Refusal` as detail.
 */
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { type OperationResult, PaymentService } from "@florin/gen/payments/v1/payments";
import { type AppError, assert, invalid, toAppError } from "@florin/kernel";
import type { MerchantCall } from "../app/asking.ts";
import type { Payments } from "../app/payments.ts";
import {
  paymentNotFound,
  problemOfAmount,
  problemOfCreate,
  problemOfCustomerIp,
  problemOfIdempotencyKey,
  problemOfList,
  problemOfPage,
  problemOfPaymentId,
  problemOfPaymentMethod,
  problemOfReason,
} from "../domain/payment-rules.ts";
import { toConnectError } from "./connect-fault.ts";
import { visitKey } from "./visit.ts";

/** Adds the service. Its calls have passed the gate: key, rate and the form of the message (connect-plugin.ts). */
export function addPaymentService(router: ConnectRouter, payments: Payments): void {
  const mutate = async <R extends { readonly idempotencyKey: string }>(
    request: R,
    context: HandlerContext,
    problem: AppError | undefined,
    run: (call: MerchantCall, idempotencyKey: string) => Promise<OperationResult>,
  ) =>
    admitted(context, async (call) => {
      const idempotencyKey = idempotencyKeyOf(request.idempotencyKey, context);
      refuse(problem);
      const result = await run(call, idempotencyKey);
      if (result.retryAfterMs > 0) context.responseHeader.set("retry-after", String(Math.ceil(result.retryAfterMs / 1_000)));
      // How long a processor took is between our processes; an answer and its replay are the same to the byte.
      return { result: { ...result, processorMs: 0 } };
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
      admitted(context, async (call) => {
        refuse(problemOfPaymentId(paymentId));
        const found = await payments.get(call, paymentId);
        if (found.payment === undefined) throw paymentNotFound();
        return found;
      }),
    listPayments: (request, context) =>
      admitted(context, (call) => {
        refuse(problemOfList(request));
        return payments.list(call, withoutCaller(request));
      }),
    listPaymentEvents: (request, context) =>
      admitted(context, async (call) => {
        refuse(problemOfPage(request.limit) ?? problemOfPaymentId(request.paymentId));
        const page = await payments.listEvents(call, withoutCaller(request));
        if (!page.found) throw paymentNotFound();
        return page;
      }),
    getPaymentRouting: (request, context) =>
      admitted(context, async (call) => {
        refuse(problemOfPaymentId(request.paymentId));
        const routing = await payments.getRouting(call, request.paymentId);
        if (!routing.found) throw paymentNotFound();
        return routing;
      }),
  });
}

/** Runs `work` for the merchant whose key was proven, and puts its faults into Connect's words. */
async function admitted<T>(context: HandlerContext, work: (call: MerchantCall) => Promise<T>): Promise<T> {
  const visit = context.values.get(visitKey);
  assert(visit?.key !== undefined, "a call that passed the gate has a key");
  try {
    return await work({ key: visit.key, requestId: visit.requestId, traceparent: context.requestHeader.get("traceparent") ?? undefined });
  } catch (thrown) {
    visit.fault = toAppError(thrown);
    throw toConnectError(visit.fault);
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
