/** A row that this release cannot read, as one that was rolled back may have left it: it holds up nobody else. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { PaymentEventSchema } from "@florin/gen/events/v1/events";
import { idToHex, required } from "@florin/kernel";
import { connectPostgres } from "@florin/runtime/postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createOrAuthorize } from "../src/app/authorize-payment.ts";
import type { Parts } from "../src/app/parts.ts";
import type { Payment } from "../src/domain/payment/index.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createOpenOperations } from "../src/store/open-operations.ts";
import { createWorkerCheckpoints } from "../src/store/worker-checkpoints.ts";
import { startRounds } from "../src/workers/follow-up-operations.ts";
import { outcomes } from "./processor-double.ts";
import { authorized, createCommand, logger, openStage, paymentOf, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ withRedis: false });
});
afterAll(() => stage.stop());

/** Gives the newest row of the payment an event type of a newer release. */
async function makeUnreadable({ id, version }: Payment): Promise<void> {
  const url = stage.superuserUrl.replace(/\/[^/]*$/, "/florin_switch");
  const owner = connectPostgres({ url, name: "owner", connectionsMax: 1 });
  const which = owner`payment_id = ${idToHex(id)}::uuid AND seq = ${version}`;
  const [row] = await owner<{ body: Buffer }[]>`SELECT body FROM payment_events WHERE ${which}`;
  const body = toBinary(PaymentEventSchema, { ...fromBinary(PaymentEventSchema, required(row, "its row").body), type: "of_next_year" });
  await owner`UPDATE payment_events SET body = ${Buffer.from(body)} WHERE ${which}`;
  await owner.end();
}

test("it fails its own reader, and not those who ask in the same batch", async () => {
  const parts = await stage.replica();
  stage.processor.behave = () => ({ told: outcomes.approved });
  const payments = [(await authorized(parts)).payment, (await authorized(parts)).payment] as const;
  await makeUnreadable(payments[0]);
  const read = await Promise.allSettled(payments.map(({ id, merchantId }) => parts.reader.newest({ id, merchantId })));
  expect(read.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
});

test("recovery says so, and goes on with all others", async () => {
  stage.processor.abilities = { unknownStrategy: "query", reversal: true };
  stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
  const counted: string[] = [];
  const plain = await stage.replica();
  const count = ((name: string) => void counted.push(name)) as Parts["metrics"]["count"];
  const parts: Parts = { ...plain, metrics: { ...plain.metrics, count } };
  await makeUnreadable(paymentOf(await createOrAuthorize(parts, createCommand())));
  const dying = await stage.replica();
  const crashAt: Parts["crashAt"] = (point) => {
    if (point === "after_processor_answer") throw new Error("killed");
  };
  const command = createCommand();
  await expect(createOrAuthorize({ ...dying, crashAt }, command)).rejects.toThrow("killed");
  const { sql } = stage;
  const [tail, operations, checkpoints] = [createLogTail(sql), createOpenOperations(sql), createWorkerCheckpoints(sql)];
  const rounds = await startRounds({ parts, tail, operations, checkpoints, logger });
  for (let second = 0; second < 40; second++) {
    await rounds.next();
    stage.clock.aheadMs += 1_000;
  }
  expect(counted).toContain("switch_follow_up_faults_total");
  const { merchantId } = command.caller;
  const stored = required(await plain.reader.key({ ...command.caller, key: command.idempotencyKey }), "its key");
  expect(required(await plain.reader.newest({ id: stored.paymentId, merchantId }), "it").status).toBe("authorized");
});
