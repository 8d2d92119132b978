/** The lifecycle under duplicated, reordered and dropped outcomes, against sums kept apart. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { blockAuthorization, recordAuthorization, requestAuthorization } from "./authorize.ts";
import { recordCapture, requestCapture } from "./capture.ts";
import { draft } from "./create.ts";
import { expireAuthorization } from "./expire.ts";
import type { Outcome } from "./outcome.ts";
import type { Payment } from "./payment.ts";
import { recordRefund, requestRefund } from "./refund.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleNowMs, sampleOrigin, sampleOutcomes } from "./samples.ts";
import { statuses } from "./status.ts";
import { assertMoney, type Decision, type Recording } from "./transition.ts";
import { recordVoid, requestVoid } from "./void.ts";

const context = { nowMs: sampleNowMs, origin: sampleOrigin };
const outcomeOf = fc.constantFrom<Outcome>(...Object.values(sampleOutcomes));

/** A command, or an answer to one of the operations asked for so far (by index, so answers come late, twice or never). */
const action = fc.oneof(
  fc.record({ do: fc.constant("authorize" as const), isBlocked: fc.boolean() }),
  fc.record({ do: fc.constant("capture" as const), amount: fc.option(fc.bigInt(1n, 12_000n), { nil: undefined }) }),
  fc.record({ do: fc.constant("void" as const) }),
  fc.record({ do: fc.constant("refund" as const), amount: fc.option(fc.bigInt(1n, 12_000n), { nil: undefined }) }),
  fc.record({ do: fc.constant("expire" as const) }),
  fc.record({ do: fc.constant("answer" as const), to: fc.nat(200), outcome: outcomeOf }),
  fc.record({ do: fc.constant("answer" as const), to: fc.constant(0), outcome: fc.constant<Outcome>(sampleOutcomes.approved) }),
);

type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function answerTo(payment: Payment, operationId: string, outcome: Outcome): Recording {
  if (operationId.startsWith("att"))
    return recordAuthorization(payment, { attemptId: operationId, outcome }, { ...context, authorizationLifetimeMs: sampleLifetimeMs });
  if (operationId.startsWith("cap")) return recordCapture(payment, { captureId: operationId, outcome }, context);
  if (operationId.startsWith("voi")) return recordVoid(payment, { voidId: operationId, outcome }, context);
  return recordRefund(payment, { refundId: operationId, outcome }, context);
}

function decide(payment: Payment, step: Exclude<Action, { do: "answer" }>, id: number): Decision | Recording {
  switch (step.do) {
    case "authorize": {
      const attempt = sampleAttempt(`att_${id}`);
      return step.isBlocked
        ? blockAuthorization(payment, attempt, { ...context, reason: "fraud_blocked" })
        : requestAuthorization(payment, attempt, context);
    }
    case "capture":
      return requestCapture(payment, { captureId: `cap_${id}`, amount: step.amount }, context);
    case "void":
      return requestVoid(payment, { voidId: `voi_${id}` }, context);
    case "refund":
      return requestRefund(payment, { refundId: `ref_${id}`, amount: step.amount, reason: "returned" }, context);
    case "expire":
      return expireAuthorization(payment, { ...context, nowMs: sampleNowMs + sampleLifetimeMs });
  }
}

/** Statuses the walks have been in, so that a walk that never gets anywhere is noticed. */
const visited = new Set<string>();

function run(actions: readonly Action[], captureMode: "manual" | "automatic"): Payment {
  let payment = draft(sampleCreate({ captureMode }), sampleNowMs);
  const asked: string[] = [];
  for (const [index, step] of actions.entries()) {
    const operationId = step.do === "answer" ? asked.at(-1 - (step.to % Math.max(asked.length, 1))) : undefined;
    if (step.do === "answer" && operationId === undefined) continue;
    if (payment.version === 0 && step.do !== "authorize") continue;
    const answer = step.do === "answer" ? answerTo(payment, operationId as string, step.outcome) : decide(payment, step, index);
    if (answer.kind !== "append") continue;
    const { event, payment: next } = answer.transition;
    expect(event.sequence).toBe(payment.version + 1);
    if (event.type.endsWith("_requested")) asked.push(event.operationId);
    payment = next;
    visited.add(payment.status);
    checkSums(payment);
  }
  return payment;
}

function checkSums(payment: Payment): void {
  assertMoney(payment);
  const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
  const capturesIn = (...status: string[]) =>
    sum(payment.captures.filter((capture) => status.includes(capture.status)).map((capture) => capture.amount));
  const refundsIn = (...status: string[]) =>
    sum(payment.refunds.filter((refund) => status.includes(refund.status)).map((refund) => refund.amount));
  if (payment.captureMode === "manual") expect(payment.captured).toBe(capturesIn("succeeded"));
  expect(payment.capturePending).toBe(capturesIn("pending", "unknown"));
  expect(payment.refunded).toBe(refundsIn("processing", "succeeded"));
  expect(payment.refundPending).toBe(refundsIn("pending", "unknown"));
  for (const operation of payment.openOperations) expect(operation.intentSequence).toBeLessThanOrEqual(payment.version);
}

/** One seed, so that "the walks get everywhere" holds always or never. */
const runs = { numRuns: 3_000, seed: 20_260_101 };

test("money adds up after every step, whatever answers are late, doubled, reordered or dropped", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), fc.constantFrom("manual" as const, "automatic" as const), (actions, captureMode) => {
      run(actions, captureMode);
    }),
    runs,
  );
});

test("the walks get everywhere that they can", () => {
  expect(statuses.filter((status) => !visited.has(status))).toEqual(["created", "ambiguous"]);
});

test("a final answer said twice changes nothing the second time", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), outcomeOf, (actions, outcome) => {
      const payment = run(actions, "manual");
      for (const operation of payment.openOperations) {
        const first = answerTo(payment, operation.id, outcome);
        if (first.kind !== "append") continue;
        expect(answerTo(first.transition.payment, operation.id, outcome).kind).toBe("ignored");
      }
    }),
    runs,
  );
});

test("answers to different operations lead to the same amounts in any order", () => {
  const answers = fc.array(fc.constantFrom<Outcome>(sampleOutcomes.approved, sampleOutcomes.declined), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(answers, fc.shuffledSubarray([0, 1, 2], { minLength: 3, maxLength: 3 }), (outcomes, order) => {
      const authorize = [
        { do: "authorize", isBlocked: false },
        { do: "answer", to: 0, outcome: sampleOutcomes.approved },
      ] as const;
      const captures = [1_000n, 2_000n, 3_000n].map((amount) => ({ do: "capture", amount }) as const);
      const start = run([...authorize, ...captures], "manual");
      const ids = start.openOperations.map((operation) => operation.id);
      const end = (sequence: readonly number[]) =>
        sequence.reduce((payment, index) => {
          const answer = answerTo(payment, ids[index] as string, outcomes[index] as Outcome);
          return answer.kind === "append" ? answer.transition.payment : payment;
        }, start);
      const inOrder = end([0, 1, 2]);
      const shuffled = end(order);
      expect([shuffled.captured, shuffled.capturePending, shuffled.status]).toEqual([
        inOrder.captured,
        inOrder.capturePending,
        inOrder.status,
      ]);
    }),
    runs,
  );
});
