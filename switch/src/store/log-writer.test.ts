import { AppError } from "@florin/kernel";
import type { CallBudget } from "@florin/runtime/resilience";
import { type Metrics, startTelemetry } from "@florin/runtime/telemetry";
import { expect, test } from "vitest";
import { createPayment } from "../domain/payment/index.ts";
import { sampleCreate, sampleNowMs, sampleOrigin } from "../domain/payment/samples.ts";
import type { InsertedRow } from "./insert-rows.ts";
import { createBatchedLogWriter } from "./log-writer.ts";

const metrics: Metrics = startTelemetry({ service: "switch", otlpUrl: "", traceRatio: 0 }).metrics;

/** A writer whose statement takes until it is told to end. */
function open() {
  const statements: { readonly keys: readonly (string | undefined)[]; readonly end: () => void }[] = [];
  const writer = createBatchedLogWriter({
    metrics,
    insert: (members) =>
      new Promise<readonly InsertedRow[]>((resolve) => {
        const rows = members.map((_, place) => ({ verdict: "appended", position: BigInt(place + 1) }) as const);
        statements.push({ keys: members.map(({ claim }) => claim?.key), end: () => resolve(rows) });
      }),
  });
  let payments = 0;
  const append = (key?: string, budget?: CallBudget) => {
    payments += 1;
    const command = sampleCreate({ id: `pay_${String(payments).padStart(26, "0")}` });
    const transition = createPayment(command, { nowMs: sampleNowMs, origin: sampleOrigin });
    const claim = key === undefined ? undefined : { key, requestHash: Buffer.alloc(32), budget };
    return writer.append(transition, claim).then(
      ({ kind }) => kind,
      (thrown: unknown) => (thrown instanceof AppError ? `${thrown.code}, ${thrown.work}` : "?"),
    );
  };
  const statement = async (place: number) => {
    await expect.poll(() => statements.length, { interval: 1 }).toBeGreaterThan(place);
    return statements[place] as (typeof statements)[number];
  };
  return { append, statement };
}

function budgetOf(state: { canBegin: boolean }): CallBudget {
  return {
    msLeft: () => (state.canBegin ? 10_000 : -1),
    canBegin: () => state.canBegin,
    askMs: (timeoutMsMax) => (state.canBegin ? timeoutMsMax : 0),
    elsewhere: (run) => run(),
    elsewhereMs: 0,
  };
}

test("an intent whose caller went away while it waited for its batch is not written; its neighbours and every outcome are", async () => {
  const { append, statement } = open();
  const caller = { canBegin: true };
  const first = append("first");
  const running = await statement(0);
  const [late, inTime, outcome] = [append("late", budgetOf(caller)), append("in time", budgetOf({ canBegin: true })), append()];
  caller.canBegin = false;
  running.end();
  const next = await statement(1);
  next.end();
  expect(next.keys.toSorted()).toEqual(["in time", undefined]);
  expect(await Promise.all([first, late, inTime, outcome])).toEqual(["appended", "deadline_exceeded, not_done", "appended", "appended"]);
});

test("a batch of nothing but late intents costs no statement", async () => {
  const { append, statement } = open();
  expect(await append("late", budgetOf({ canBegin: false }))).toBe("deadline_exceeded, not_done");
  const next = append("next");
  const { keys, end } = await statement(0);
  end();
  expect([keys, await next]).toEqual([["next"], "appended"]);
});
