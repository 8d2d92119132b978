import type { CircuitSettings } from "@florin/runtime/resilience";
import type { Metrics } from "@florin/runtime/telemetry";
import { expect, test } from "vitest";
import type { Outcome } from "../domain/payment/index.ts";
import { createProcessorCircuits, resultOf } from "./processor-circuits.ts";

const words = { processorReference: "", responseCode: "", authCode: "", avs: "", cvv: "" };
const approved: Outcome = { kind: "approved", words, isFinal: true };
const declined: Outcome = { kind: "declined", words, reason: "insufficient_funds" };
const timeout: Outcome = { kind: "unknown", cause: "timeout" };
const notConnected: Outcome = { kind: "not_sent", cause: "not_connected" };
const refused: Outcome = { kind: "not_sent", cause: "circuit_open" };

const settings = { failureShare: 0.5, volumeMin: 10, windowMs: 2_000, slowAfterMs: 1_500, openMs: 1_000, probesMax: 3 };

function open(current: () => CircuitSettings = () => settings) {
  const clock = { ms: 0 };
  const counted: string[] = [];
  const metrics: Pick<Metrics, "count" | "gauge"> = {
    count: (name, ...rest) => void counted.push(`${name} ${JSON.stringify(rest[0])}`),
    gauge: () => {},
  };
  const circuits = createProcessorCircuits({ settings: current, now: () => clock.ms, metrics });
  let sent = 0;
  const send = (outcome: Outcome, connector = "a", operation: "authorize" | "refund" = "authorize", timeoutMs = 25_000) =>
    circuits.guard({ connector, operation, timeoutMs }, async () => {
      sent += 1;
      return outcome;
    });
  const times = async (count: number, outcome: Outcome): Promise<void> => {
    for (let call = 0; call < count; call += 1) await send(outcome);
  };
  return { clock, circuits, counted, send, times, sent: () => sent };
}

test.each([
  [approved, "success"],
  [declined, "success"],
  [timeout, "failure"],
  [notConnected, "failure"],
  [{ kind: "unknown", cause: "deadline_exceeded" }, "failure"],
  [{ kind: "not_sent", cause: "deadline_exceeded" }, "ignored"],
  [{ kind: "unknown", cause: "a word of a newer release" }, "failure"],
  [{ kind: "not_sent", cause: "overloaded" }, "ignored"],
  [{ kind: "not_sent", cause: "queue_full" }, "not_taken"],
  [{ kind: "not_sent", cause: "token_expired" }, "ignored"],
  [{ kind: "not_sent", cause: "key_refused" }, "failure"],
  [{ kind: "not_sent", cause: "unavailable" }, "ignored"],
  [{ kind: "unknown", cause: "peer_lost" }, "ignored"],
] satisfies [Outcome, string][])("%o is a %s of the processor", (outcome, result) => {
  expect(resultOf(outcome)).toBe(result);
});

test.each([timeout, notConnected])(
  "a processor that only fails is sent no more, and the answer says that nothing was sent: %o",
  async (failure) => {
    const { circuits, counted, send, times, sent } = open();
    await times(10, failure);
    expect(await send(approved)).toEqual(refused);
    expect([sent(), circuits.health("a", "authorize")]).toEqual([10, "down"]);
    expect(counted).toEqual([
      'switch_circuit_changes_total {"connector":"a","operation":"authorize","state":"open"}',
      'switch_circuit_refusals_total {"connector":"a","operation":"authorize"}',
    ]);
  },
);

test("other operations and other processors go on", async () => {
  const { circuits, send, times } = open();
  await times(10, timeout);
  expect(await send(approved, "a", "refund")).toEqual(approved);
  expect(await send(approved, "b")).toEqual(approved);
  expect([circuits.health("a", "refund"), circuits.health("b", "authorize")]).toEqual(["up", "up"]);
});

test("a day of declines, and our own overload, close nobody's till", async () => {
  const { send, times } = open();
  await times(100, declined);
  await times(100, { kind: "not_sent", cause: "overloaded" });
  await times(100, { kind: "not_sent", cause: "queue_full" });
  expect(await send(approved)).toEqual(approved);
});

test("a full queue makes no probe succeed: the circuit opens again, and only a few were let through", async () => {
  const { clock, circuits, send, times, sent } = open();
  await times(10, timeout);
  const before = sent();
  for (let tenth = 0; tenth < 100; tenth += 1) {
    clock.ms += 100;
    await send({ kind: "not_sent", cause: "queue_full" });
  }
  // One a second, by the rule for open circuits.
  expect(sent() - before).toBeLessThanOrEqual(10);
  expect(circuits.health("a", "authorize")).not.toBe("up");
});

test("callers that wait for less than what is called slow cannot close a processor's till", async () => {
  const { send } = open();
  for (let call = 0; call < 100; call += 1) await send(timeout, "a", "authorize", settings.slowAfterMs - 1);
  for (let call = 0; call < 9; call += 1) await send(timeout, "a", "authorize", settings.slowAfterMs);
  expect(await send(timeout)).toEqual(timeout);
  expect(await send(approved)).toEqual(refused);
});

test("a processor that hangs is sent no more within two seconds, while its calls are still waited for", async () => {
  const { clock, circuits } = open();
  const answers: ((outcome: Outcome) => void)[] = [];
  const calls: Promise<Outcome>[] = [];
  for (; circuits.health("a", "authorize") !== "down" && clock.ms < 10_000; clock.ms += 20)
    calls.push(
      circuits.guard({ connector: "a", operation: "authorize", timeoutMs: 25_000 }, () => new Promise((resolve) => answers.push(resolve))),
    );
  expect(clock.ms).toBeGreaterThan(settings.slowAfterMs);
  expect(clock.ms).toBeLessThanOrEqual(2_000);
  for (const answer of answers) answer(approved);
  expect(new Set((await Promise.all(calls)).map(({ kind }) => kind))).toEqual(new Set(["approved"]));
});

test("it is sent everything again when its probes are answered", async () => {
  const { clock, circuits, send, times } = open();
  await times(10, timeout);
  clock.ms = 1_000;
  expect(circuits.health("a", "authorize")).toBe("probing");
  await times(3, approved);
  expect(circuits.health("a", "authorize")).toBe("up");
  await times(9, timeout);
  expect(await send(approved)).toEqual(approved);
});

test("other settings begin with circuits that know nothing, and hold from the next call", async () => {
  let current = settings;
  const { circuits, send, times, sent } = open(() => current);
  await times(10, timeout);
  expect(circuits.health("a", "authorize")).toBe("down");
  current = { ...settings, volumeMin: 2 };
  expect(circuits.health("a", "authorize")).toBe("up");
  await times(2, timeout);
  expect(await send(approved)).toEqual(refused);
  expect(sent()).toBe(12);
});

test("failures in a row, and waiting until calls went elsewhere, are for authorizations: other operations can go nowhere else", async () => {
  const rare = { ...settings, failuresInRow: 2, refusalsMin: 2, openMsMax: 60_000 };
  const { clock, circuits, send } = open(() => rare);
  for (const operation of ["authorize", "refund"] as const)
    for (clock.ms = 0; clock.ms < 6_000; clock.ms += 2_000) await send(timeout, "a", operation);
  expect([circuits.health("a", "authorize"), circuits.health("a", "refund")]).toEqual(["down", "up"]);
  clock.ms = 20_000;
  expect([circuits.health("a", "authorize"), circuits.health("a", "authorize")]).toEqual(["down", "down"]);
  circuits.passedBy("a");
  circuits.passedBy("a");
  expect(circuits.health("a", "authorize")).toBe("probing");
  for (let call = 0; call < 10; call += 1) await send(timeout, "a", "refund");
  clock.ms += settings.openMs;
  expect(circuits.health("a", "refund")).toBe("probing");
});
