import { describe, expect, test } from "vitest";
import { type Answer, type Call, decisionOf, meaningOf, readAnswer, wasUnsure } from "./call.ts";

const answer = (status: number, change: Partial<Answer> = {}): Answer => ({
  startedAtMs: 0,
  endedAtMs: 10,
  status,
  isReplay: false,
  retryAfterMs: undefined,
  code: "",
  paymentId: undefined,
  digest: "",
  ...change,
});
const call = (...answers: Answer[]): Call => ({
  key: "k",
  operation: "capture",
  path: "",
  body: "",
  amount: 1,
  paymentId: "pay_1",
  answers,
});

test.each([
  [200, "", "yes"],
  [201, "", "yes"],
  [202, "", "unsure"],
  [0, "", "unsure"],
  [500, "internal", "unsure"],
  [503, "peer_lost", "unsure"],
  [503, "processor_unavailable", "no"],
  [402, "card_declined", "no"],
  [409, "payment_state_invalid", "no"],
  [409, "payment_busy", "later"],
  [429, "rate_limited", "later"],
] as const)("an answer of %i %s means %s", (status, code, meaning) => {
  expect(meaningOf(answer(status, { code }))).toBe(meaning);
});

describe("a call", () => {
  test("is decided by the first answer that decides, and by nothing else", () => {
    expect(decisionOf(call(answer(0), answer(202), answer(429)))).toBeUndefined();
    expect(decisionOf(call(answer(202), answer(200)))).toBe("yes");
    expect(decisionOf(call(answer(402), answer(200)))).toBe("no");
  });

  test("was in doubt when the merchant had to ask again, and not when a copy of the same moment was decided", () => {
    const later = { startedAtMs: 20, endedAtMs: 30 };
    expect(wasUnsure(call(answer(0), answer(200, later)))).toBe(true);
    expect(wasUnsure(call(answer(0)))).toBe(true);
    expect(wasUnsure(call(answer(202), answer(200)))).toBe(false);
    expect(wasUnsure(call(answer(429), answer(200, later)))).toBe(false);
  });
});

test("the same refusal has the same digest whatever its request was called; another payment has another one", () => {
  const read = (text: string) => readAnswer({ startedAtMs: 0, endedAtMs: 1, status: 402, isReplay: false, retryAfterMs: undefined, text });
  const refusal = (request: string, payment: string) =>
    `{"error":{"code":"card_declined","request_id":"${request}","payment":{"id":"${payment}"}}}`;
  const first = read(refusal("req_1", "pay_1"));
  expect(first).toMatchObject({ code: "card_declined", paymentId: "pay_1" });
  expect(read(refusal("req_2", "pay_1")).digest).toBe(first.digest);
  expect(read(refusal("req_1", "pay_2")).digest).not.toBe(first.digest);
});
