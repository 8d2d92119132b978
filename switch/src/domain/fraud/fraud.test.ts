import { expect, test } from "vitest";
import { makeBlockList } from "./block-list.ts";
import type { FraudSignals } from "./signals.ts";
import { listsAndVelocity, verdictOf } from "./tier.ts";
import { type VelocityLimits, velocityKey, velocitySubjects, velocityWindows } from "./velocity.ts";

const limits: VelocityLimits = {
  cardPerHour: { raisedFrom: 5, blockedFrom: 10 },
  cardPerDay: { raisedFrom: 10, blockedFrom: 20 },
  ipPerHour: { raisedFrom: 20, blockedFrom: 50 },
  merchantPerMinute: { raisedFrom: 1_000, blockedFrom: 10_000 },
};

const quiet = { cardPerHour: 1, cardPerDay: 1, ipPerHour: 1, merchantPerMinute: 1 };

function signals(changes: Partial<FraudSignals> = {}): FraudSignals {
  return {
    merchantId: "mer_a",
    cardFingerprint: "f1",
    bin: "42424242",
    customerIp: "192.0.2.7",
    amount: 100n,
    currency: "EUR",
    velocity: quiet,
    ...changes,
  };
}

const judge = (blocks: Parameters<typeof makeBlockList>[0], input: FraudSignals) => {
  const list = makeBlockList(blocks);
  return verdictOf([listsAndVelocity({ blockList: () => list, limits: () => limits }).evaluate(input)]);
};

test("a quiet card is low risk", () => {
  expect(judge([], signals())).toEqual({ riskScore: 0, riskLevel: "low", reasons: [] });
});

test("a blocked card, BIN or address is blocked, for all merchants or for one", () => {
  expect(judge([{ kind: "card_fingerprint", value: "f1", merchantId: "" }], signals())).toMatchObject({
    riskLevel: "blocked",
    riskScore: 100,
    reasons: ["blocked_card_fingerprint"],
  });
  expect(judge([{ kind: "bin", value: "424242", merchantId: "" }], signals()).riskLevel).toBe("blocked");
  expect(judge([{ kind: "ip", value: "192.0.2.7", merchantId: "mer_a" }], signals()).riskLevel).toBe("blocked");
  expect(judge([{ kind: "ip", value: "192.0.2.7", merchantId: "mer_b" }], signals()).riskLevel).toBe("low");
});

test("a count at a limit counts, one below does not", () => {
  expect(judge([], signals({ velocity: { ...quiet, cardPerHour: 4 } })).riskLevel).toBe("low");
  expect(judge([], signals({ velocity: { ...quiet, cardPerHour: 5 } }))).toMatchObject({
    riskLevel: "elevated",
    reasons: ["velocity_card_per_hour"],
  });
  expect(judge([], signals({ velocity: { ...quiet, cardPerHour: 10 } })).riskLevel).toBe("blocked");
  expect(judge([], signals({ velocity: { ...quiet, cardPerHour: 5, ipPerHour: 20 } })).riskLevel).toBe("high");
});

test("the score stays between 0 and 100 and only a block reaches 100", () => {
  const many = { score: 80, isBlocked: false, reasons: [] };
  expect(verdictOf([many, many])).toMatchObject({ riskScore: 99, riskLevel: "high" });
});

test("a counter's key changes with its window and is not shared between merchants", () => {
  const window = velocityWindows[0] as (typeof velocityWindows)[number];
  expect(velocityKey(window, "x", 0)).not.toBe(velocityKey(window, "x", window.windowMs));
  expect(velocityKey(window, "x", 1)).toBe(velocityKey(window, "x", window.windowMs - 1));
  const subject = (merchantId: string) => velocitySubjects({ merchantId, cardFingerprint: "f1", customerIp: "" });
  expect(subject("mer_a").cardPerHour).not.toBe(subject("mer_b").cardPerHour);
  expect(subject("mer_a").ipPerHour).toBe("");
});
