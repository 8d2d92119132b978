/**
 * Lists that do not come to an end stop no payment: pages have connections of their own, few at once, and an end.
 *
 * The switch runs as a process, so what is tested is how `main.ts` puts the pools together. A list that hangs is made by a lock on what only
 * this list reads.
 */
import { PaymentService } from "@florin/gen/payments/v1/payments";
import { AppError, required } from "@florin/kernel";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { connectFramed } from "@florin/runtime/rpc";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRequest, newWireCaller, type Payments } from "./rpc-stage.ts";
import { logger, openStage, type Stage } from "./stage.ts";
import { type SwitchProcess, startSwitch } from "./switch-process.ts";

let stage: Stage;
let process: SwitchProcess;
let payments: Payments & { close(): Promise<void> };
let owner: Sql;
let superuser: Sql;

beforeAll(async () => {
  stage = await openStage();
  process = await startSwitch(stage);
  const client = connectFramed(PaymentService, { address: process.address, tls: { kind: "off" }, peerName: "switch", logger });
  await client.untilConnected(5_000);
  payments = client;
  owner = connectPostgres({ url: stage.ownerUrl, name: "owner", connectionsMax: 1 });
  superuser = connectPostgres({ url: stage.superuserUrl, name: "superuser", connectionsMax: 1 });
});
afterAll(async () => {
  await payments?.close();
  await process?.stop();
  await Promise.all([owner?.end({ timeout: 1 }), superuser?.end({ timeout: 1 })]);
  await stage.stop();
});

test("with 400 lists that hang, payments, reads and captures are answered at once; the lists are told, and work again afterwards", async (context) => {
  if (stage.redisServer === undefined) return context.skip("without a cache every payment is on the list that hangs");
  const caller = newWireCaller();
  const list = () => payments.listPayments({ caller, idempotencyDegraded: true }, { timeoutMs: 20_000 });
  const hanging = await owner.begin(async (holding) => {
    await holding`LOCK TABLE degraded_payments IN ACCESS EXCLUSIVE MODE`;
    const lists = Array.from({ length: 400 }, () => list().catch((thrown: unknown) => thrown));
    await untilTrue(async () => (await waitingFor(superuser)) > 0, 5_000);
    for (let n = 0; n < 5; n++) {
      const request = { ...createRequest(), caller };
      const { result } = await payments.createPayment(request, { timeoutMs: 1_000 });
      const paymentId = required(result?.payment, "payment").id;
      expect((await payments.getPayment({ caller, paymentId }, { timeoutMs: 1_000 })).payment?.id).toBe(paymentId);
      const captured = await payments.capturePayment({ caller, paymentId, idempotencyKey: `capture-${n}` }, { timeoutMs: 1_000 });
      expect(captured.result?.refusal).toBeUndefined();
    }
    return { told: await Promise.race(lists), lists };
  });
  // Whoever finds no room is told so at once, before any list has come to its end.
  expect(hanging.told).toMatchObject({ code: "overloaded", work: "not_done" });
  for (const answer of await Promise.all(hanging.lists))
    if (answer instanceof AppError) expect(["overloaded", "unavailable"]).toContain(answer.code);
  expect((await list()).payments).toEqual([]);
});

async function waitingFor(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name LIKE 'florin-switch%' AND wait_event_type = 'Lock'`;
  return row?.count ?? 0;
}
