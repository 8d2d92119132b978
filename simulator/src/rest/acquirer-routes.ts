/**
 * The acquirer's API: `/v1`. Each request meets the fault rules first, then the books, then the latency of the day.
 *
 * The time a booking takes counts as a part of the latency, so a simulator set to 20 ms answers after 20 ms.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Secret } from "@florin/kernel";
import type { Tracer } from "@florin/runtime/telemetry";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Acquirer, AcquirerAnswer } from "../app/acquirer.ts";
import type { FaultRules, Rule } from "../app/fault-rules.ts";
import type { RequestMeter, RequestResult } from "../app/request-meter.ts";
import { type Fault, isCallbackFault, isIso8583Fault, type OperationName, type RequestFacts } from "../domain/fault-rule.ts";
import { drawLatencyMs, type Latency } from "../domain/latency.ts";
import { parseProcessorId } from "../domain/operation.ts";
import { sendError } from "./answer-body.ts";
import { createCallerKey } from "./caller-key.ts";
import { answerFaultily, delayMsDefault, type FaultTimes, holdAndCut } from "./faulty-answer.ts";
import {
  type AuthorizationBody,
  authorizationParams,
  authorizationSchema,
  type MovementBody,
  movementSchema,
  type ReversalBody,
  readIdempotencyKey,
  referenceParams,
  reversalSchema,
  voidSchema,
} from "./requests.ts";

export type AcquirerRoutesOptions = {
  readonly acquirer: Acquirer;
  readonly rules: FaultRules;
  readonly apiKey: Secret;
  readonly latency: () => Latency;
  readonly meter: RequestMeter;
  readonly tracer: Pick<Tracer, "withSpan">;
  /** True: every request meets an outage, unless a rule has something else for it. */
  readonly isOutOfOrder: () => boolean;
  /** Aborted when the acquirer ends. */
  readonly ending: AbortSignal;
};

type Answer = { readonly status: number; readonly body: object };

export function acquirerRoutes(app: FastifyInstance, options: AcquirerRoutesOptions): void {
  const { acquirer } = options;
  const isCaller = createCallerKey(options.apiKey, "Bearer ");
  app.addHook("onRequest", async (request, reply) => {
    if (!isCaller(request.headers.authorization)) return sendError(reply, "api_key_invalid");
  });

  app.post<{ Body: AuthorizationBody }>("/v1/authorizations", { schema: { body: authorizationSchema } }, async (request, reply) => {
    const reference = readIdempotencyKey(request.headers["idempotency-key"]);
    if (reference === undefined) return sendError(reply, "idempotency_key_missing");
    const { body } = request;
    const facts: RequestFacts = {
      operation: "authorization",
      reference,
      merchantId: body.merchant_id,
      paymentId: body.payment_id,
      merchantReference: body.merchant_reference ?? "",
      amount: body.amount,
      currency: body.currency,
      cardLast4: body.card.number.slice(-4),
    };
    return answer(options, { request, reply, facts }, async () => toAnswer(await acquirer.authorize(toAuthorization(reference, body))));
  });

  for (const [path, operation, schema] of [
    ["captures", "capture", movementSchema],
    ["voids", "void", voidSchema],
    ["refunds", "refund", movementSchema],
  ] as const) {
    app.post<{ Params: { id: string }; Body: MovementBody }>(
      `/v1/authorizations/:id/${path}`,
      { schema: { params: authorizationParams, body: schema } },
      async (request, reply) => {
        const reference = readIdempotencyKey(request.headers["idempotency-key"]);
        if (reference === undefined) return sendError(reply, "idempotency_key_missing");
        const { body } = request;
        const authorizationId = parseProcessorId(request.params.id);
        const facts: RequestFacts = { ...noFacts, operation, reference, merchantId: body.merchant_id, amount: body.amount ?? 0 };
        const movement = {
          reference,
          operation,
          authorizationId,
          authorizationReference: authorizationId === undefined ? request.params.id : "",
          merchantId: body.merchant_id,
          amount: BigInt(body.amount ?? 0),
          currency: body.currency ?? "",
        };
        return answer(options, { request, reply, facts: { ...facts, currency: movement.currency } }, async () =>
          toAnswer(await acquirer.move(movement)),
        );
      },
    );
  }

  app.post<{ Body: ReversalBody }>("/v1/reversals", { schema: { body: reversalSchema } }, async (request, reply) => {
    const reference = readIdempotencyKey(request.headers["idempotency-key"]);
    if (reference === undefined) return sendError(reply, "idempotency_key_missing");
    const { merchant_id: merchantId, payment_id: paymentId, amount, currency, ...of } = request.body;
    const facts: RequestFacts = { ...noFacts, operation: "reversal", reference, merchantId, paymentId, amount, currency };
    const reversal = {
      reference,
      originalReference: of.original_reference,
      originalOperation: of.original_operation,
      authorizationReference: of.authorization_reference,
      merchantId,
      paymentId,
      amount: BigInt(amount),
      currency,
    };
    return answer(options, { request, reply, facts }, async () => toAnswer(await acquirer.reverse(reversal)));
  });

  app.get<{ Params: { reference: string } }>(
    "/v1/operations/:reference",
    { schema: { params: referenceParams } },
    async (request, reply) => {
      const { reference } = request.params;
      const facts: RequestFacts = { ...noFacts, operation: "query", reference };
      return answer(options, { request, reply, facts }, async () => {
        const found = await acquirer.query(reference);
        if (found.kind === "found") return { status: 200, body: found.view };
        return errorAnswer(found.kind === "not_found" ? "operation_not_found" : "operation_in_progress");
      });
    },
  );

  /** For link checks: answers without touching the books. */
  app.get("/v1/ping", async () => ({ status: "up" }));
}

const noFacts = { merchantId: "", paymentId: "", merchantReference: "", amount: 0, currency: "", cardLast4: "" } as const;

function toAuthorization(reference: string, body: AuthorizationBody) {
  const { card } = body;
  return {
    reference,
    merchantId: body.merchant_id,
    paymentId: body.payment_id,
    merchantReference: body.merchant_reference === "" ? undefined : body.merchant_reference,
    amount: BigInt(body.amount),
    currency: body.currency,
    isCaptured: body.capture ?? false,
    acquirer: "simpay" as const,
    card: {
      number: card.number,
      expMonth: card.exp_month,
      expYear: card.exp_year,
      hasSecurityCode: card.cvc !== undefined,
      hasAddress: (card.postal_code ?? "") !== "" || (card.address_line1 ?? "") !== "",
    },
  };
}

function toAnswer(answered: AcquirerAnswer): Answer {
  if (answered.kind === "answered") return { status: answered.isRepeat ? 200 : 201, body: answered.view };
  return errorAnswer(answered.kind === "key_reuse" ? "idempotency_key_reuse" : "authorization_not_found");
}

function errorAnswer(code: "idempotency_key_reuse" | "authorization_not_found" | "operation_not_found" | "operation_in_progress"): Answer {
  return { status: code.endsWith("not_found") ? 404 : 409, body: { error: { code } } };
}

type Exchange = { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly facts: RequestFacts };

/** One operation, in the caller's trace: faults, books, latency. */
function answer(options: AcquirerRoutesOptions, exchange: Exchange, work: () => Promise<Answer>): Promise<unknown> {
  const { traceparent } = exchange.request.headers;
  const parent = typeof traceparent === "string" ? traceparent : undefined;
  return options.tracer.withSpan(`simulator.${exchange.facts.operation}`, { parent, kind: "server" }, () =>
    answerByRule(options, exchange, work),
  );
}

async function answerByRule(options: AcquirerRoutesOptions, exchange: Exchange, work: () => Promise<Answer>): Promise<unknown> {
  const { reply, facts } = exchange;
  const { meter, ending } = options;
  const rule = takeRule(options.rules, facts);
  const times = { delayMs: rule?.delayMs, ending };
  const fault = rule?.fault ?? (options.isOutOfOrder() ? "outage" : undefined);
  if (fault !== undefined) meter.fault(fault);
  if (fault === "outage" || fault === "timeout_before_charge") {
    meter.request(facts.operation, "not_reached");
    return answerUnbooked(reply, fault, times);
  }
  const latencyMs = drawLatencyMs(options.latency(), Math.random()) + (rule?.fault === "delay" ? (rule.delayMs ?? delayMsDefault) : 0);
  const startedAtMs = performance.now();
  const { status, body } = await work();
  meter.request(facts.operation, resultOf(facts.operation, status));
  const leftMs = latencyMs - (performance.now() - startedAtMs);
  if (leftMs >= 1) await sleep(leftMs);
  if (rule !== undefined && rule.fault !== "delay") return answerBadly(exchange, rule.fault, { status, body }, times);
  return reply.code(status).send(body);
}

/** A denial befalls queries only, and there are no codes and no callbacks here: a rule that fits everything must not lose its turns on others. */
function takeRule(rules: FaultRules, facts: RequestFacts): Rule | undefined {
  const isPossible = (fault: Fault) => !isIso8583Fault(fault) && !isCallbackFault(fault);
  return rules.take(facts, ({ fault }) => isPossible(fault) && (fault !== "denied_query" || facts.operation === "query"));
}

/** The faults that come before the books. */
function answerUnbooked(reply: FastifyReply, fault: "outage" | "timeout_before_charge", times: FaultTimes): FastifyReply {
  if (fault === "outage") return sendError(reply, "outage");
  reply.hijack();
  holdAndCut(reply.raw, times);
  return reply;
}

function resultOf(operation: OperationName, status: number): RequestResult {
  if (status >= 400) return "refused";
  if (operation === "query") return "found";
  return status === 201 ? "booked" : "repeated";
}

async function answerBadly({ reply }: Exchange, fault: Fault, { status, body }: Answer, times: FaultTimes): Promise<unknown> {
  if (fault === "unmapped_code") return reply.code(status).send({ ...body, status: "referred", response_code: "ZZ", decline_code: "" });
  if (fault === "denied_query") return sendError(reply, "operation_not_found");
  if (fault === "outage" || fault === "timeout_before_charge" || fault === "delay" || isIso8583Fault(fault) || isCallbackFault(fault))
    return reply;
  reply.hijack();
  await answerFaultily(reply.raw, fault, { status, body }, times);
  return reply;
}
