/** A processor that cannot be reached is left alone: nothing is sent, whoever asks is told so at once, and a few calls find out when it is back. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createOrAuthorize } from "../src/app/authorize-payment.ts";
import { capturePayment } from "../src/app/move-money.ts";
import type { OperationAnswer } from "../src/app/operation.ts";
import { outcomes } from "./processor-double.ts";
import { authorized, codeOf, createCommand, keyed, openStage, paymentOf, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ withRedis: false });
});
afterAll(() => stage.stop());

const authorizeMany = (count: number): Promise<OperationAnswer[]> =>
  Promise.all(Array.from({ length: count }, () => createOrAuthorize(stage.parts, createCommand())));

test("a house with a payment a second leaves a processor alone that gives no answer, and one payment in six finds out when it is back", async () => {
  const { parts, processor, clock } = stage;
  const inTurn = async (count: number): Promise<(string | undefined)[]> => {
    const codes: (string | undefined)[] = [];
    for (let one = 0; one < count; one += 1) {
      clock.aheadMs += 1_000;
      codes.push(codeOf(await createOrAuthorize(parts, createCommand())));
    }
    return codes;
  };
  processor.behave = () => ({ told: outcomes.unknown });
  const sent = processor.calls.authorize;
  await inTurn(5);
  expect(processor.calls.authorize).toBe(sent + 5);
  expect(await inTurn(5)).toEqual(Array.from({ length: 5 }, () => "processor_unavailable"));
  processor.behave = () => ({ told: outcomes.approved });
  const back = await inTurn(4);
  expect([processor.calls.authorize, back.filter((code) => code === "processor_unavailable").length]).toEqual([sent + 9, 0]);
});

test("authorizations stop, captures go on, and authorizations come back with the processor", async () => {
  const { parts, processor, clock } = stage;
  const { payment, caller } = await authorized(parts);
  processor.behave = (kind) => ({ told: kind === "authorize" ? outcomes.notSent : outcomes.approved });
  await authorizeMany(20);
  const sent = processor.calls.authorize;

  const refused = await authorizeMany(10);
  expect(refused.map(codeOf)).toEqual(refused.map(() => "processor_unavailable"));
  expect(processor.calls.authorize).toBe(sent);
  const captured = await capturePayment(parts, { caller, ...keyed(), paymentId: payment.id, amount: undefined });
  expect(paymentOf(captured).status).toBe("captured");

  processor.behave = () => ({ told: outcomes.approved });
  clock.aheadMs += 1_000;
  for (let probe = 0; probe < 3; probe += 1) expect(paymentOf(await createOrAuthorize(parts, createCommand())).status).toBe("authorized");
  const again = await authorizeMany(10);
  expect(again.map((answer) => paymentOf(answer).status)).toEqual(again.map(() => "authorized"));
  expect(processor.calls.authorize).toBe(sent + 13);
});
