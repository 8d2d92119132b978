import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@florin/runtime/testing";
import { expect, test } from "vitest";
import { readAnswers } from "./answers.ts";

test("lines of the scenarios are summed up per payment, and other lines are passed over", async () => {
  const file = join(temporaryFolder(), "lines.txt");
  writeFileSync(
    file,
    [
      "ok authorize pay_1 1000",
      "ok capture pay_1 400",
      "ok capture pay_1 600",
      "unsure capture 503 pay_2 70",
      "no authorize 402 lt-1",
      "ok refund pay_1 50",
      "unsure authorize 0 lt-2 10",
      "something else",
      "",
    ].join("\n"),
  );
  const answers = await readAnswers(file);
  expect(answers.payments.get("pay_1")).toMatchObject({ authorized: 1_000, captured: 1_000, captures: 2, refunded: 50, refunds: 1 });
  expect(answers.payments.get("pay_2")).toMatchObject({ authorized: 0, captured: 0, unsureCaptured: 70 });
  expect(answers).toMatchObject({
    accepted: { authorize: 1, capture: 2, refund: 1 },
    refused: { authorize: 1 },
    unsure: { capture: 1, authorize: 1 },
  });
});

test("a run that never began has no answers", async () => {
  expect((await readAnswers("/nowhere/at/all.txt")).payments.size).toBe(0);
});
