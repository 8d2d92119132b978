import { expect, test } from "vitest";
import { giveUpQuerying, recordAuthorization, requestAuthorization, rerouteAuthorization } from "../payment/authorize.ts";
import { draft, type Transition } from "../payment/index.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleNowMs, sampleOrigin, sampleOutcomes } from "../payment/samples.ts";
import { storeDecision } from "./decision.ts";
import { route } from "./route.ts";
import { sampleContext } from "./samples.ts";
import { routingStories } from "./story.ts";

const context = { nowMs: sampleNowMs, origin: sampleOrigin, authorizationLifetimeMs: sampleLifetimeMs };
const decision = route(sampleContext());

function appended(answer: { readonly kind: string; readonly transition?: Transition }): Transition {
  if (answer.transition === undefined) throw new Error(`expected a row, got ${answer.kind}`);
  return answer.transition;
}

const intent = appended(
  requestAuthorization(draft(sampleCreate(), sampleNowMs), { ...sampleAttempt("att_1"), routing: storeDecision(decision) }, context),
);
const rerouted = rerouteAuthorization(
  intent.payment,
  { attemptId: "att_1", outcome: sampleOutcomes.notSent, next: { attemptId: "att_2", connector: "other" } },
  context,
);
const nothingMore = { stopped: "", passedOver: [] };
const answer = (row: Transition, attemptId: string, outcome: Parameters<typeof recordAuthorization>[1]["outcome"]): Transition =>
  appended(recordAuthorization(row.payment, { attemptId, outcome }, context));

test("a payment that went on tells its decision once, and every attempt with its end", () => {
  const rows = [intent, rerouted, answer(rerouted, "att_2", sampleOutcomes.approved)];
  expect(routingStories(rows)).toEqual([
    {
      sequence: 1,
      decidedAtMs: sampleNowMs,
      decision,
      attempts: [
        { attemptId: "att_1", processor: "simpay", end: "not_sent", reason: "connection_refused", ...nothingMore },
        { attemptId: "att_2", processor: "other", end: "approved", reason: "", ...nothingMore },
      ],
    },
  ]);
});

test("who was passed over, and why nobody else was asked, is told with the attempt after which it was so", () => {
  const outcome = sampleOutcomes.declined as Extract<typeof sampleOutcomes.declined, { kind: "declined" }>;
  const next = { attemptId: "att_2", connector: "third" };
  const on = rerouteAuthorization(intent.payment, { attemptId: "att_1", outcome, next, told: { passed_over: "other,fourth" } }, context);
  const told = { stopped: "no_candidate", passed_over: "other" };
  const declined = appended(recordAuthorization(on.payment, { attemptId: "att_2", outcome, told }, context));
  expect(routingStories([intent, on, declined])[0]?.attempts).toMatchObject([
    { attemptId: "att_1", end: "declined", reason: "insufficient_funds", stopped: "", passedOver: ["other", "fourth"] },
    { attemptId: "att_2", end: "declined", reason: "insufficient_funds", stopped: "no_candidate", passedOver: ["other"] },
  ]);
});

test("what is under way or unknown is pending, a decline has its reason, and a second call is a second story", () => {
  const declined = answer(intent, "att_1", sampleOutcomes.declined);
  const again = appended(requestAuthorization(declined.payment, { ...sampleAttempt("att_3"), routing: storeDecision(decision) }, context));
  const unknown = answer(again, "att_3", sampleOutcomes.unknown);
  const ambiguous = appended(giveUpQuerying(unknown.payment, "att_3", context));
  expect(routingStories([intent, declined, again, unknown, ambiguous]).map(({ attempts }) => attempts)).toEqual([
    [{ attemptId: "att_1", processor: "simpay", end: "declined", reason: "insufficient_funds", ...nothingMore }],
    [{ attemptId: "att_3", processor: "simpay", end: "pending", reason: "", ...nothingMore }],
  ]);
});

test("a decision in a form of another release is left out, and nothing breaks", () => {
  const strange = { ...intent, event: { ...intent.event, details: { connector: "simpay", routing: "[9]" } } };
  expect(routingStories([strange, answer(strange, "att_1", sampleOutcomes.approved)])).toEqual([]);
});

test("the attempts of a decision that cannot be read are left out with it, and those of the decisions around it stay", () => {
  const declined = answer(intent, "att_1", sampleOutcomes.declined);
  const strange = appended(requestAuthorization(declined.payment, { ...sampleAttempt("att_3"), routing: "[9]" }, context));
  const next = { attemptId: "att_4", connector: "other" };
  const strangeOn = rerouteAuthorization(strange.payment, { attemptId: "att_3", outcome: sampleOutcomes.notSent, next }, context);
  const declinedOn = answer(strangeOn, "att_4", sampleOutcomes.declined);
  const again = appended(
    requestAuthorization(declinedOn.payment, { ...sampleAttempt("att_5"), routing: storeDecision(decision) }, context),
  );
  const stories = routingStories([intent, declined, strange, strangeOn, declinedOn, again]);
  expect(stories.map(({ attempts }) => attempts)).toEqual([
    [{ attemptId: "att_1", processor: "simpay", end: "declined", reason: "insufficient_funds", ...nothingMore }],
    [{ attemptId: "att_5", processor: "simpay", end: "pending", reason: "", ...nothingMore }],
  ]);
});
