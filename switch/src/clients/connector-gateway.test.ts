/** A processor that answers nothing, as the connectors process tells it: how much of it is sent there. */
import type { ConnectorService } from "@florin/gen/connectors/v1/connectors";
import { OutcomeKind } from "@florin/gen/connectors/v1/connectors";
import { AppError } from "@florin/kernel";
import type { CircuitSettings } from "@florin/runtime/resilience";
import type { Client } from "@florin/runtime/rpc";
import { startTelemetry } from "@florin/runtime/telemetry";
import { describe, expect, test } from "vitest";
import { createPayment, type Payment } from "../domain/payment/index.ts";
import { sampleCreate, sampleNowMs, sampleOrigin } from "../domain/payment/samples.ts";
import { createConnectorGateway } from "./connector-gateway.ts";
import { createProcessorCircuits } from "./processor-circuits.ts";
import { createRetryBudgets } from "./retry-budgets.ts";

const { metrics, tracer } = startTelemetry({ service: "switch", otlpUrl: "", traceRatio: 0 });
const savedMax = 20;
const payment: Payment = createPayment(sampleCreate(), { nowMs: sampleNowMs, origin: sampleOrigin }).payment;
const authorized: Payment = {
  ...payment,
  processorResponse: { connector: "simpay", processorReference: "", code: "00", authCode: "", avs: "", cvv: "" },
};

/** What is bounded here is bounded without it. */
const neverOpens: CircuitSettings = {
  failureShare: 1,
  volumeMin: 1_000_000,
  windowMs: 1_000,
  slowAfterMs: 1_000,
  openMs: 1_000,
  probesMax: 1,
};

/** `refusal`: what our own way to the processor says, before anything is sent, or when it was cut. Else the outcome, when it is not dead. */
type Script = { isDead: boolean; refusal?: AppError | undefined; kind: OutcomeKind; cause: string };

function open(circuit = neverOpens) {
  const clock = { ms: 0 };
  const now = () => clock.ms;
  const calls = { first: 0, again: 0 };
  const script: Script = { isDead: true, kind: OutcomeKind.APPROVED, cause: "" };
  const meet = async (kind: keyof typeof calls) => {
    if (script.refusal !== undefined) throw script.refusal;
    calls[kind] += 1;
    if (script.isDead) throw new AppError("deadline_exceeded", "silence", { work: "unknown" });
    return { found: true, outcome: { kind: script.kind, cause: script.cause, isFinal: false } };
  };
  const sent = new Set<string>();
  const operation = async ({ reference = "" }: { reference?: string }) => {
    const kind = sent.has(reference) ? "again" : "first";
    sent.add(reference);
    return meet(kind);
  };
  const again = () => meet("again");
  const questions: object[] = [];
  const asked = (question: object) => {
    questions.push(question);
    return again();
  };
  const client = { authorize: operation, capture: operation, void: operation, refund: operation, query: asked, reverse: again };
  const retry = { share: 0.1, savedMax, perSecondMin: 1 };
  const gateway = createConnectorGateway({
    client: client as unknown as Client<typeof ConnectorService>,
    tracer,
    circuits: createProcessorCircuits({ settings: () => circuit, now, metrics }),
    retries: createRetryBudgets({ settings: () => retry, now, metrics }),
    now,
  });
  return { clock, calls, questions, script, gateway };
}

type Opened = ReturnType<typeof open>;
const waited = { connector: "simpay", traceparent: "" };
const idOf = (number: number) => `att_${String(number).padStart(26, "0")}`;
const authorize = ({ gateway }: Opened, number: number, isAgain = false) =>
  gateway.authorize(payment, { ...waited, attemptId: idOf(number), isAgain });
const capture = ({ gateway }: Opened, number: number, isAgain = false) =>
  gateway.capture(authorized, { traceparent: "", id: `cap_${number}`, amount: 1n, isAgain });
const money = { amount: 1_000n, currency: "EUR" };
const query = ({ gateway }: Opened, number: number) => gateway.query({ ...waited, ...money, reference: idOf(number) });
const reverse = ({ gateway }: Opened, number: number) =>
  gateway.reverse(payment, { ...waited, id: `rev_${number}`, originalId: idOf(number), amount: 1n });

test.each([
  ["questions", query],
  ["repetitions", (opened: Opened, number: number) => authorize(opened, number, true)],
  ["reversals", reverse],
])("a dead processor gets at most 1.1 times its traffic, whatever is tried again: %s", async (_, tryAgain) => {
  const opened = open();
  for (let number = 0; number < 2_000; number += 1) {
    await authorize(opened, number);
    for (let tries = 0; tries < 5; tries += 1) await tryAgain(opened, number);
  }
  expect(opened.calls.first).toBe(2_000);
  expect(opened.calls.again).toBeGreaterThan(150);
  expect(opened.calls.again).toBeLessThanOrEqual(200 + savedMax);
});

test("what is not asked is not known: the question says unknown, the repetition and the reversal that nothing was sent", async () => {
  const opened = open();
  for (let tries = 0; tries < savedMax; tries += 1) await query(opened, 1);
  const outcome = { kind: "unknown", cause: "retry_budget" };
  expect(await query(opened, 1)).toEqual({ found: true, outcome });
  const notSent = { kind: "not_sent", cause: "retry_budget" };
  expect([await authorize(opened, 1, true), await reverse(opened, 1)]).toEqual([notSent, notSent]);
  expect(opened.calls).toEqual({ first: 0, again: savedMax });
});

test("a processor that answers is asked as often as recovery likes", async () => {
  const opened = open();
  opened.script.isDead = false;
  for (let tries = 0; tries < 1_000; tries += 1) await query(opened, 1);
  expect(opened.calls.again).toBe(1_000);
});

test("a processor that says that it is still at work has answered", async () => {
  const opened = open();
  Object.assign(opened.script, { isDead: false, kind: OutcomeKind.UNKNOWN, cause: "in_progress" });
  for (let tries = 0; tries < 1_000; tries += 1) await query(opened, 1);
  expect(opened.calls.again).toBe(1_000);
});

test("the end of an outage without any traffic is found", async () => {
  const opened = open();
  for (let tries = 0; tries < 100; tries += 1) await query(opened, 1);
  opened.script.isDead = false;
  opened.clock.ms += 1_000;
  expect((await query(opened, 1)).outcome.kind).toBe("approved");
});

test("a dead processor takes nothing from another one", async () => {
  const opened = open();
  for (let tries = 0; tries < 100; tries += 1) await query(opened, 1);
  opened.script.isDead = false;
  const other = await opened.gateway.query({ ...waited, ...money, connector: "other", reference: idOf(1) });
  expect(other.outcome.kind).toBe("approved");
});

describe("what never left the house counts on neither side", () => {
  const circuit = { ...neverOpens, volumeMin: 10 };
  const opensForCaptures = async () => {
    const opened = open(circuit);
    for (let number = 0; number < circuit.volumeMin; number += 1) await capture(opened, number);
    expect(await capture(opened, 0)).toEqual({ kind: "not_sent", cause: "circuit_open" });
    return opened;
  };
  const tryAgain = [
    ["questions", query],
    ["repetitions", (opened: Opened, number: number) => capture(opened, number, true)],
    ["reversals", reverse],
  ] as const;
  const untilRefused = async (opened: Opened, again: (opened: Opened, number: number) => Promise<unknown>) => {
    const before = opened.calls.again;
    for (let tries = 0; tries < 2 * savedMax; tries += 1) await again(opened, 1);
    return opened.calls.again - before;
  };

  test("captures that an open circuit refuses buy no questions to a dead processor", async () => {
    const opened = await opensForCaptures();
    for (let number = 0; number < 2_000; number += 1) {
      await capture(opened, number);
      await query(opened, number);
    }
    expect(opened.calls).toEqual({ first: circuit.volumeMin, again: savedMax });
  });

  test("repetitions that an open circuit refuses leave questions and reversals what they need", async () => {
    const opened = await opensForCaptures();
    for (let tries = 0; tries < 5 * savedMax; tries += 1)
      expect(await capture(opened, 0, true)).toEqual({ kind: "not_sent", cause: "circuit_open" });
    expect(opened.calls.again).toBe(0);
    expect(await untilRefused(opened, query)).toBe(savedMax);
  });

  test.each(tryAgain)("what our own way to the processor refuses costs nothing: %s", async (_, again) => {
    const opened = open();
    await capture(opened, 1);
    for (const code of ["unavailable", "overloaded", "deadline_exceeded"] as const) {
      opened.script.refusal = new AppError(code, "ours", { work: "not_done" });
      for (let tries = 0; tries < savedMax; tries += 1) await again(opened, 1);
    }
    opened.script.refusal = undefined;
    expect(await untilRefused(opened, again)).toBe(savedMax);
  });

  test.each(tryAgain)("what may have left counts: %s", async (_, again) => {
    const opened = open();
    await capture(opened, 1);
    opened.script.refusal = new AppError("peer_lost", "cut while it was under way", { work: "unknown" });
    for (let tries = 0; tries < savedMax; tries += 1) await again(opened, 1);
    opened.script.refusal = undefined;
    expect(await untilRefused(opened, again)).toBe(0);
  });

  test("a connection that cannot be made is felt by the processor: asking for it counts, and earns nothing", async () => {
    const opened = open();
    Object.assign(opened.script, { isDead: false, kind: OutcomeKind.NOT_SENT, cause: "not_connected" });
    await capture(opened, 1);
    expect(await untilRefused(opened, tryAgain[1][1])).toBe(savedMax);
    for (let number = 2; number < 1_000; number += 1) await capture(opened, number);
    expect(await untilRefused(opened, tryAgain[1][1])).toBe(0);
  });

  test("first tries that the connectors' own bounds refuse earn nothing", async () => {
    const opened = open();
    await untilRefused(opened, query);
    Object.assign(opened.script, { isDead: false, kind: OutcomeKind.NOT_SENT, cause: "overloaded" });
    for (let number = 0; number < 1_000; number += 1) await capture(opened, number);
    opened.script.isDead = true;
    expect(await untilRefused(opened, query)).toBe(0);
  });
});

test("a question names the amount that the operation was sent with: a void was sent with none", async () => {
  const opened = open();
  for (const kind of ["att", "cap", "ref", "voi"])
    await opened.gateway.query({ ...waited, ...money, reference: idOf(1).replace("att", kind) });
  const about = { connector: "simpay", ...money };
  expect(opened.questions).toEqual([
    { ...about, reference: idOf(1) },
    { ...about, reference: idOf(1).replace("att", "cap") },
    { ...about, reference: idOf(1).replace("att", "ref") },
    { connector: "simpay", reference: idOf(1).replace("att", "voi") },
  ]);
});
