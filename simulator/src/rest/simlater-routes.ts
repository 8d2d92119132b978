/**
 * simlater, the acquirer that answers later: `/later`. An order is taken with 202, what became of it comes by a signed callback, or is found
 * by asking for the caller's reference.
 *
 * It has no idempotency key and looks at no reference: an order that comes twice is two charges, booked as "att_…" and "att_…~2". Only
 * cancellations are PUT, so they can be repeated. The books, cards, fault rules and latency are simpay's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, type Secret } from "@florin/kernel";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Acquirer, AcquirerAnswer } from "../app/acquirer.ts";
import { type Callbacks, newEventId } from "../app/callbacks.ts";
import type { FaultRules, Rule } from "../app/fault-rules.ts";
import type { RequestMeter } from "../app/request-meter.ts";
import { type Fault, isIso8583Fault, type RequestFacts } from "../domain/fault-rule.ts";
import { drawLatencyMs, type Latency } from "../domain/latency.ts";
import { type OperationView, repeatedReferences } from "../domain/operation.ts";
import { createCallerKey } from "./caller-key.ts";
import { answerFaultily, delayMsDefault, holdAndCut } from "./faulty-answer.ts";
import {
  type CancellationBody,
  cancellationSchema,
  type OrderBody,
  orderParams,
  orderQuery,
  orderSchema,
  type StepBody,
  stepSchema,
} from "./simlater-requests.ts";
import { kindOfStep, operationIdOf, parseAmount, processing, type Report, reportOf, unlisted } from "./simlater-words.ts";

export type SimlaterRoutesOptions = {
  readonly acquirer: Acquirer;
  readonly rules: FaultRules;
  readonly apiKey: Secret;
  readonly callbacks: Callbacks;
  /** From the answer to an order to its callback, ms. */
  readonly callbackDelayMs: number;
  readonly latency: () => Latency;
  /** From the acceptance of a refund to its end, ms. */
  readonly refundDelayMs: () => number;
  readonly meter: RequestMeter;
  /** It is a bad hour: nothing gets through. */
  readonly isOutOfOrder: () => boolean;
  /** Aborted when the acquirer ends. */
  readonly ending: AbortSignal;
};

/** Documented: nothing was done. */
const refusals = {
  NO_KEY: 401,
  NOT_UNDERSTOOD: 400,
  NO_SUCH_ORDER: 404,
  STILL_BOOKING: 409,
  SAME_REFERENCE_TOO_OFTEN: 429,
  OUT_OF_SERVICE: 503,
} as const;
type Refusal = keyof typeof refusals;

/** What was booked, or why nothing was. */
type Done = { readonly kind: "booked"; readonly report: Report } | { readonly kind: "refused"; readonly refusal: Refusal };

const lateMsDefault = 5_000;
const askAgainMs = 50;
/** After these the caller hears nothing more by itself. */
const silencing: ReadonlySet<Fault> = new Set<Fault>(["timeout_after_charge", "reset_after_approval", "garbage", "slow_drip"]);
const noFacts = { merchantId: "", paymentId: "", merchantReference: "", amount: 0, currency: "", cardLast4: "" } as const;

export function simlaterRoutes(app: FastifyInstance, options: SimlaterRoutesOptions): void {
  const { acquirer } = options;
  const isCaller = createCallerKey(options.apiKey);
  app.addHook("onRequest", async (request, reply) => {
    if (!isCaller(request.headers["x-later-key"])) return refuse(reply, "NO_KEY");
  });

  app.setErrorHandler((thrown, _request, reply) => {
    if (thrown instanceof Error && "statusCode" in thrown && Number(thrown.statusCode) < 500) return refuse(reply, "NOT_UNDERSTOOD");
    if (thrown instanceof AppError && thrown.code === "overloaded") return refuse(reply, "OUT_OF_SERVICE");
    throw thrown;
  });

  app.post<{ Body: OrderBody }>("/later/orders", { schema: { body: orderSchema } }, async (request, reply) => {
    const { body } = request;
    const amount = parseAmount(body.total);
    if (amount === undefined) return refuse(reply, "NOT_UNDERSTOOD");
    const facts: RequestFacts = {
      operation: "authorization",
      reference: body.orderRef,
      merchantId: body.shop,
      paymentId: body.purchase,
      merchantReference: body.note ?? "",
      amount: Number(amount),
      currency: body.total.ccy,
      cardLast4: body.instrument.pan.slice(-4),
    };
    return take(options, { request, reply, facts }, () =>
      bookAgain(body.orderRef, (reference) => acquirer.authorize(toAuthorization(body, reference, amount))),
    );
  });

  app.post<{ Params: { id: string }; Body: StepBody }>(
    "/later/orders/:id/steps",
    { schema: { params: orderParams, body: stepSchema } },
    async (request, reply) => {
      const { body, params } = request;
      const operation = kindOfStep(body.step);
      const amount = body.step === "RELEASE" ? 0n : body.total === undefined ? undefined : parseAmount(body.total);
      if (amount === undefined || operation === undefined || operation === "authorization" || operation === "reversal")
        return refuse(reply, "NOT_UNDERSTOOD");
      const currency = body.total?.ccy ?? "";
      const facts = { ...noFacts, operation, reference: body.orderRef, merchantId: body.shop, amount: Number(amount), currency };
      const authorizationId = operationIdOf(params.id);
      const authorizationReference = authorizationId === undefined ? params.id : "";
      return take(options, { request, reply, facts }, () =>
        bookAgain(body.orderRef, (reference) =>
          acquirer.move({ reference, operation, authorizationId, authorizationReference, merchantId: body.shop, amount, currency }),
        ),
      );
    },
  );

  app.put<{ Params: { id: string }; Body: CancellationBody }>(
    "/later/cancellations/:id",
    { schema: { params: orderParams, body: cancellationSchema } },
    async (request, reply) => {
      const { body, params } = request;
      const amount = parseAmount(body.total);
      const originalOperation = kindOfStep(body.step);
      if (amount === undefined || originalOperation === undefined || originalOperation === "reversal")
        return refuse(reply, "NOT_UNDERSTOOD");
      const who = { merchantId: body.shop, paymentId: body.purchase, currency: body.total.ccy };
      const facts: RequestFacts = { ...noFacts, ...who, operation: "reversal", reference: body.orderRef, amount: Number(amount) };
      return answer(options, { request, reply, facts }, async () => {
        const original = { originalReference: params.id, originalOperation, authorizationReference: body.of };
        const booked = await acquirer.reverse({ reference: body.orderRef, ...original, ...who, amount });
        return booked.kind === "answered" ? done(booked.view, body.orderRef) : { kind: "refused", refusal: "NO_SUCH_ORDER" };
      });
    },
  );

  app.get<{ Querystring: { ref: string } }>("/later/orders", { schema: { querystring: orderQuery } }, async (request, reply) => {
    const { ref } = request.query;
    const facts: RequestFacts = { ...noFacts, operation: "query", reference: ref };
    return answer(options, { request, reply, facts }, async () => {
      const found = await acquirer.query(ref);
      if (found.kind === "found") return done(found.view, ref);
      return { kind: "refused", refusal: found.kind === "not_found" ? "NO_SUCH_ORDER" : "STILL_BOOKING" };
    });
  });

  /** For link checks: answers without touching the books. */
  app.get("/later/alive", async () => ({ alive: true }));
}

function refuse(reply: FastifyReply, refusal: Refusal): FastifyReply {
  return reply.code(refusals[refusal]).send({ fault: refusal });
}

function done(view: OperationView, orderRef: string): Done {
  return { kind: "booked", report: reportOf(view, orderRef) };
}

/** Books under the first name that is free: what comes again is done again. One that was cancelled before it came stays cancelled. */
async function bookAgain(orderRef: string, book: (reference: string) => Promise<AcquirerAnswer>): Promise<Done> {
  for (const reference of [orderRef, ...repeatedReferences(orderRef)]) {
    const booked = await book(reference);
    if (booked.kind === "authorization_not_found") return { kind: "refused", refusal: "NO_SUCH_ORDER" };
    if (booked.kind === "answered" && (!booked.isRepeat || booked.view.status === "reversed")) return done(booked.view, orderRef);
  }
  return { kind: "refused", refusal: "SAME_REFERENCE_TOO_OFTEN" };
}

function toAuthorization(body: OrderBody, reference: string, amount: bigint) {
  const { pan, until, code, zip, street } = body.instrument;
  return {
    reference,
    merchantId: body.shop,
    acquirer: "simlater" as const,
    paymentId: body.purchase,
    merchantReference: body.note === "" ? undefined : body.note,
    amount,
    currency: body.total.ccy,
    isCaptured: body.settle,
    card: {
      number: pan,
      expMonth: Number(until.slice(0, 2)),
      expYear: 2_000 + Number(until.slice(3)),
      hasSecurityCode: code !== undefined,
      hasAddress: (zip ?? "") !== "" || (street ?? "") !== "",
    },
  };
}

type Exchange = { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly facts: RequestFacts };
type Answer = { readonly status: number; readonly body: object };

/** An order or a step: 202 now, the report by callback. */
async function take(options: SimlaterRoutesOptions, exchange: Exchange, book: () => Promise<Done>): Promise<unknown> {
  const { reply } = exchange;
  const rule = takeRule(options, exchange.facts);
  if (isUnbooked(rule)) return answerUnbooked(options, exchange, rule);
  const booked = await bookInTime(options, exchange, { rule, book });
  if (booked.kind === "refused") return refuse(reply, booked.refusal);
  const { report } = booked;
  if (rule?.fault === "callback_first") await callBack(options, report, rule);
  else if (rule === undefined || !silencing.has(rule.fault)) void callBack(options, report, rule);
  const accepted = { status: 202, body: { taken: true, orderRef: report.orderRef, ticket: report.ticket } };
  return send(options, exchange, rule, accepted);
}

/** A cancellation or a question: the report is the answer. */
async function answer(options: SimlaterRoutesOptions, exchange: Exchange, work: () => Promise<Done>): Promise<unknown> {
  const rule = takeRule(options, exchange.facts);
  if (isUnbooked(rule)) return answerUnbooked(options, exchange, rule);
  const found = await bookInTime(options, exchange, { rule, book: work });
  if (rule?.fault === "denied_query") return refuse(exchange.reply, "NO_SUCH_ORDER");
  if (found.kind === "refused") return refuse(exchange.reply, found.refusal);
  const report = rule?.fault === "unmapped_code" ? unlisted(found.report) : found.report;
  return send(options, exchange, rule, { status: 200, body: report });
}

const outOfOrder: Rule = { id: 0, happened: 0, match: {}, fault: "outage" };

function takeRule({ rules, isOutOfOrder }: SimlaterRoutesOptions, { operation, ...facts }: RequestFacts): Rule | undefined {
  const callsBack = operation !== "query" && operation !== "reversal";
  const rule = rules.take({ operation, ...facts }, ({ fault }) => {
    if (isIso8583Fault(fault)) return false;
    if (fault === "denied_query") return operation === "query";
    return callsBack || !fault.startsWith("callback_");
  });
  return rule ?? (isOutOfOrder() ? outOfOrder : undefined);
}

type Unbooked = Rule & { readonly fault: "outage" | "timeout_before_charge" };

function isUnbooked(rule: Rule | undefined): rule is Unbooked {
  return rule?.fault === "outage" || rule?.fault === "timeout_before_charge";
}

function answerUnbooked({ meter, ending }: SimlaterRoutesOptions, { reply, facts }: Exchange, rule: Unbooked): FastifyReply {
  meter.fault(rule.fault);
  meter.request(facts.operation, "not_reached");
  if (rule.fault === "outage") return refuse(reply, "OUT_OF_SERVICE");
  reply.hijack();
  holdAndCut(reply.raw, { delayMs: rule.delayMs, ending });
  return reply;
}

/** Books, and takes as long as the day says. */
async function bookInTime(
  { latency, meter }: SimlaterRoutesOptions,
  { facts }: Exchange,
  { rule, book }: { readonly rule: Rule | undefined; readonly book: () => Promise<Done> },
): Promise<Done> {
  if (rule !== undefined) meter.fault(rule.fault);
  const delayMs = rule?.fault === "delay" ? (rule.delayMs ?? delayMsDefault) : 0;
  const startedAtMs = performance.now();
  const booked = await book();
  meter.request(facts.operation, booked.kind === "refused" ? "refused" : facts.operation === "query" ? "found" : "booked");
  const leftMs = drawLatencyMs(latency(), Math.random()) + delayMs - (performance.now() - startedAtMs);
  if (leftMs >= 1) await sleep(leftMs);
  return booked;
}

async function send(
  { ending }: SimlaterRoutesOptions,
  { reply }: Exchange,
  rule: Rule | undefined,
  { status, body }: Answer,
): Promise<unknown> {
  switch (rule?.fault) {
    case "callback_only":
      reply.hijack();
      await answerFaultily(reply.raw, "reset_after_approval", { status, body }, { delayMs: undefined, ending });
      return reply;
    case "timeout_after_charge":
    case "reset_after_approval":
    case "duplicate_answer":
    case "garbage":
    case "slow_drip":
      reply.hijack();
      await answerFaultily(reply.raw, rule.fault, { status, body }, { delayMs: rule.delayMs, ending });
      return reply;
    default:
      return reply.code(status).send(body);
  }
}

/** One event, or what a bad day makes of it. A refund that is accepted has a second one, when it ends. */
async function callBack(options: SimlaterRoutesOptions, report: Report, rule: Rule | undefined): Promise<void> {
  const { callbacks, callbackDelayMs } = options;
  const fault = rule?.fault;
  const delayMs = callbackDelayMs + (fault === "callback_late" ? (rule?.delayMs ?? lateMsDefault) : 0);
  const decided = { eventId: newEventId(), report: fault === "unmapped_code" ? unlisted(report) : report };
  const usual = { delayMs, isForged: fault === "callback_forged" };
  const undecided = () => callbacks.send({ eventId: newEventId(), report: processing(report) }, { delayMs: 0, isForged: false });
  if (fault === "callback_never") return;
  if (fault === "callback_shuffled") await undecided();
  await callbacks.send(decided, fault === "callback_first" ? { ...usual, delayMs: 0 } : usual);
  if (fault === "callback_twice") await callbacks.send(decided, { ...usual, delayMs: 0 });
  if (fault === "callback_shuffled") await undecided();
  if (report.verdict === "QUEUED") void callBackWhenEnded(options, report);
}

async function callBackWhenEnded({ acquirer, callbacks, refundDelayMs, ending }: SimlaterRoutesOptions, report: Report): Promise<void> {
  // The books go by the database's clock, which may be behind this one.
  for (let pauseMs = refundDelayMs() + 1; ; pauseMs = askAgainMs) {
    await sleep(pauseMs, undefined, { signal: ending, ref: false }).catch(() => {});
    if (ending.aborted) return;
    const found = await acquirer.query(report.orderRef).catch(() => undefined);
    if (found?.kind !== "found") return;
    const now = reportOf(found.view, report.orderRef);
    if (now.verdict === "QUEUED") continue;
    await callbacks.send({ eventId: newEventId(), report: now }, { delayMs: 0, isForged: false });
    return;
  }
}
