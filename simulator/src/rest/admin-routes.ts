/** Admin API of the simulator: fault rules, latency, test cards. For tests and demonstrations; no key is asked for. */
import type { FastifyInstance } from "fastify";
import type { Callbacks } from "../app/callbacks.ts";
import { type FaultRules, type Rule, rulesMax } from "../app/fault-rules.ts";
import { faults, isFault, operationNames, type RuleMatch } from "../domain/fault-rule.ts";
import { formatLatency, type Latency, parseLatency } from "../domain/latency.ts";
import { declineCodeOf } from "../domain/response-code.ts";
import { testCards } from "../domain/test-card.ts";
import { sendError } from "./answer-body.ts";

export type AdminState = {
  readonly rules: FaultRules;
  readonly latencyAtStart: Latency;
  readonly refundDelayMsAtStart: number;
  latency: Latency;
  refundDelayMs: number;
};

const ruleSchema = {
  type: "object",
  additionalProperties: false,
  required: ["fault"],
  properties: {
    match: {
      type: "object",
      additionalProperties: false,
      properties: {
        operation: { enum: operationNames },
        card_last4: { type: "string", pattern: "^[0-9]{4}$" },
        amount: { type: "integer" },
        currency: { type: "string" },
        reference_prefix: { type: "string", maxLength: 64 },
        merchant_id: { type: "string" },
        payment_id: { type: "string" },
        merchant_reference: { type: "string" },
      },
    },
    fault: { enum: Object.keys(faults) },
    times: { type: "integer", minimum: 1, maximum: 1_000_000_000 },
    probability: { type: "number", minimum: 0, maximum: 1 },
    delay_ms: { type: "integer", minimum: 0, maximum: 600_000 },
  },
} as const;

type RuleBody = { match?: RuleMatch; fault: string; times?: number; probability?: number; delay_ms?: number };

const latencySchema = { type: "object", additionalProperties: false, required: ["latency"], properties: { latency: { type: "string" } } };
const settingsSchema = {
  type: "object",
  additionalProperties: false,
  required: ["refund_delay_ms"],
  properties: { refund_delay_ms: { type: "integer", minimum: 0, maximum: 86_400_000 } },
};

export function adminRoutes(app: FastifyInstance, state: AdminState, callbacks: Callbacks | undefined): void {
  const { rules } = state;

  app.get("/admin/rules", async () => ({ rules: rules.list().map(viewOf) }));
  app.post<{ Body: RuleBody }>("/admin/rules", { schema: { body: ruleSchema } }, async ({ body }, reply) => {
    if (!isFault(body.fault)) return sendError(reply, "request_invalid", "fault is not known");
    const { match = {}, fault, times, probability, delay_ms: delayMs } = body;
    const rule = rules.add({ match, fault, times, probability, delayMs });
    if (rule === undefined) return sendError(reply, "request_invalid", `at most ${rulesMax} rules`);
    return reply.code(201).send(viewOf(rule));
  });
  app.delete("/admin/rules", async (_request, reply) => {
    rules.clear();
    return reply.code(204).send();
  });
  app.delete<{ Params: { id: string } }>("/admin/rules/:id", async ({ params }, reply) =>
    rules.remove(Number(params.id)) ? reply.code(204).send() : sendError(reply, "route_unknown", "there is no such rule"),
  );

  app.get("/admin/latency", async () => ({ latency: formatLatency(state.latency) }));
  app.put<{ Body: { latency: string } }>("/admin/latency", { schema: { body: latencySchema } }, async ({ body }, reply) => {
    const latency = parseLatency(body.latency);
    if (latency === undefined) return sendError(reply, "request_invalid", "latency is none, 20 or a range like 300-1200 (ms)");
    state.latency = latency;
    return { latency: formatLatency(latency) };
  });

  app.get("/admin/settings", async () => ({ refund_delay_ms: state.refundDelayMs }));
  app.put<{ Body: { refund_delay_ms: number } }>("/admin/settings", { schema: { body: settingsSchema } }, async ({ body }) => {
    state.refundDelayMs = body.refund_delay_ms;
    return { refund_delay_ms: state.refundDelayMs };
  });

  /** Rules, latency and settings as at the start. The books stay. */
  app.post("/admin/reset", async (_request, reply) => {
    rules.clear();
    state.latency = state.latencyAtStart;
    state.refundDelayMs = state.refundDelayMsAtStart;
    return reply.code(204).send();
  });

  app.get("/admin/test-cards", async () => ({
    test_cards: testCards.map((card) => ({
      last4: card.number.slice(-4),
      name: card.name,
      response_code: card.code,
      decline_code: declineCodeOf(card.code),
    })),
  }));
  app.get("/admin/faults", async () => ({ faults }));

  /** Callbacks about an order, oldest first, with the status of each try; 0 for none. */
  app.get<{ Querystring: { reference?: string } }>("/admin/callbacks", async ({ query }) => ({
    callbacks: (callbacks?.deliveriesOf(query.reference ?? "") ?? []).map(({ eventId, isForged, statuses }) => ({
      event_id: eventId,
      forged: isForged,
      statuses,
    })),
  }));
}

function viewOf(rule: Rule) {
  return {
    id: rule.id,
    match: rule.match,
    fault: rule.fault,
    times: rule.times ?? null,
    probability: rule.probability ?? null,
    delay_ms: rule.delayMs ?? null,
    happened: rule.happened,
  };
}
