/**
 * What every form of the payment log promises: the statements on PostgreSQL, and the tables of the seeded simulation. One suite, so that
 * what the simulation proves about the code above the store holds where the store is real.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { idToHex, makeId, required } from "@florin/kernel";
import { beforeAll, describe, expect, test } from "vitest";
import {
  createPayment,
  draft,
  type Payment,
  recordAuthorization,
  requestAuthorization,
  requestCapture,
  rerouteAuthorization,
  type Transition,
} from "../domain/payment/index.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleOrigin, sampleOutcomes } from "../domain/payment/samples.ts";
import type { ExpiringHolds } from "./expiring-holds.ts";
import type { LogReader } from "./log-reader.ts";
import type { LogTail } from "./log-tail.ts";
import type { LogWriter } from "./log-writer.ts";
import type { OpenOperations } from "./open-operations.ts";
import type { WorkerCheckpoints } from "./worker-checkpoints.ts";

/** A row in a transaction that has not ended: written, with its position, and not to be seen. */
export type HeldRow = { commit(): Promise<void>; rollBack(): Promise<void> };

export type LogUnderTest = {
  /** Of two processes: their batches never meet. */
  readonly writers: readonly [LogWriter, LogWriter];
  readonly reader: LogReader;
  readonly newTail: () => LogTail;
  readonly operations: OpenOperations;
  readonly checkpoints: WorkerCheckpoints;
  readonly holds: ExpiringHolds;
  readonly hold: (row: Transition) => Promise<HeldRow>;
};

const merchantId = makeId("merchant", Date.now(), randomBytes(10));
const hash = Buffer.alloc(32, 7);
const claimOf = (key: string = randomUUID()) => ({ key, requestHash: hash });
const which = ({ payment }: Transition) => ({ id: payment.id, merchantId: payment.merchantId });
const kindsOf = async (answers: readonly Promise<{ readonly kind: string }>[]) => (await Promise.all(answers)).map(({ kind }) => kind);

function first(changes: Parameters<typeof sampleCreate>[0] = {}): Transition {
  const id = makeId("payment", Date.now(), randomBytes(10));
  const command = sampleCreate({ id, merchantId, merchantReference: "", ...changes });
  return createPayment(command, { nowMs: Date.now(), origin: sampleOrigin });
}

function second(after: Transition): Transition {
  return attemptOn(after.payment);
}

/** A payment whose first row is an attempt. */
function attempted(): Transition {
  const id = makeId("payment", Date.now(), randomBytes(10));
  return attemptOn(draft(sampleCreate({ id, merchantId, merchantReference: "" }), Date.now()));
}

function attemptOn(payment: Payment): Transition {
  const nowMs = Date.now();
  const attempt = sampleAttempt(makeId("attempt", nowMs, randomBytes(10)));
  const decision = requestAuthorization(payment, attempt, { nowMs, origin: sampleOrigin });
  if (decision.kind !== "append") throw new Error(decision.refusal.message);
  return decision.transition;
}

function third(intent: Transition, outcome: (typeof sampleOutcomes)["approved" | "unknown"]): Transition {
  const context = { nowMs: Date.now(), origin: sampleOrigin, authorizationLifetimeMs: sampleLifetimeMs };
  const recording = recordAuthorization(intent.payment, { attemptId: intent.event.operationId, outcome }, context);
  if (recording.kind !== "append") throw new Error(recording.reason);
  return recording.transition;
}

/** Registers the suite. `open` is called once, before the first test. */
export function testPaymentLog(name: string, open: () => Promise<LogUnderTest>): void {
  describe(`the payment log ${name}`, () => {
    let log: LogUnderTest;
    let writer: LogWriter;
    beforeAll(async () => {
      log = await open();
      writer = log.writers[0];
    });
    const isKeyUsed = async (key: string) => (await log.reader.key({ merchantId, mode: "test", key })) !== undefined;
    testAppending(
      () => log,
      () => writer,
      isKeyUsed,
    );
    testReading(
      () => log,
      () => writer,
    );
    testFollowing(() => log);
  });
}

type Get<T> = () => T;

function testAppending(log: Get<LogUnderTest>, writer: Get<LogWriter>, isKeyUsed: (key: string) => Promise<boolean>): void {
  test("answers each member of a batch by itself", async () => {
    const taken = first();
    const takenKey = randomUUID();
    await writer().append(taken, claimOf(takenKey));
    await writer().append(second(taken), claimOf());
    const reference = { merchantReference: `unique-${randomUUID()}`, uniqueReference: true };
    await writer().append(first(reference), claimOf());
    const [fine, loser, late] = [randomUUID(), randomUUID(), randomUUID()];
    const answers = await kindsOf([
      writer().append(first(), claimOf(fine)),
      writer().append(first(), claimOf(takenKey)),
      writer().append(second(taken), claimOf(loser)),
      writer().append(first(reference), claimOf(late)),
      writer().append(first({ merchantReference: reference.merchantReference }), claimOf()),
    ]);
    expect(answers).toEqual(["appended", "key_taken", "conflict", "reference_taken", "appended"]);
    expect(await Promise.all([fine, loser, late].map(isKeyUsed))).toEqual([true, false, false]);
  });

  test("of members of one batch with one key, row or reference the first wins and no neighbour suffers", async () => {
    const base = first();
    await writer().append(base, claimOf());
    const reference = { merchantReference: `twice-${randomUUID()}`, uniqueReference: true };
    const keys = Array.from({ length: 5 }, () => randomUUID());
    const [double, row1, row2, reference1, reference2] = keys;
    const answers = await kindsOf([
      writer().append(first(), claimOf(double)),
      writer().append(first(), claimOf(double)),
      writer().append(second(base), claimOf(row1)),
      writer().append(second(base), claimOf(row2)),
      writer().append(first(reference), claimOf(reference1)),
      writer().append(first(reference), claimOf(reference2)),
      writer().append(first(), claimOf()),
    ]);
    expect(answers).toEqual(["appended", "key_taken", "appended", "conflict", "appended", "reference_taken", "appended"]);
    expect(await Promise.all(keys.map(isKeyUsed))).toEqual([true, true, false, true, false]);
  });

  test("behind a member that loses, the next with its key gets its turn", async () => {
    const base = first();
    await writer().append(base, claimOf());
    await writer().append(second(base), claimOf());
    const key = randomUUID();
    expect(await kindsOf([writer().append(second(base), claimOf(key)), writer().append(first(), claimOf(key))])).toEqual([
      "conflict",
      "appended",
    ]);
  });

  test("two writers that race for the same rows, keys and references: one of each wins, and keys go with their rows", async () => {
    const { writers } = log();
    for (let round = 0; round < 20; round++) {
      const scope = randomUUID();
      const bases = Array.from({ length: 20 }, () => first());
      await Promise.all(bases.map((base) => writers[0].append(base, undefined)));
      const keys: string[] = [];
      const race = (one: LogWriter, name: string) =>
        bases.flatMap((base, index) => {
          // Opposite orders, so that the two would lock crosswise if nobody sorted them.
          const other = bases.length - 1 - index;
          const rowKey = `${name}-${scope}-${index}`;
          keys.push(rowKey);
          return [
            one.append(second(name === "a" ? base : (bases[other] as Transition)), claimOf(rowKey)),
            one.append(first(), claimOf(`same-${scope}-${name === "a" ? index : other}`)),
            one.append(
              first({ merchantReference: `r-${scope}-${index % 5}`, uniqueReference: true }),
              claimOf(`r-${name}-${scope}-${index}`),
            ),
          ];
        });
      const [a, b] = await Promise.all([kindsOf(race(writers[0], "a")), kindsOf(race(writers[1], "b"))]);
      const count = (kind: string, at: number) => [...a, ...b].filter((answer, place) => answer === kind && place % 3 === at).length;
      expect([count("appended", 0), count("conflict", 0)]).toEqual([20, 20]);
      expect([count("appended", 1), count("key_taken", 1)]).toEqual([20, 20]);
      expect([count("appended", 2), count("reference_taken", 2)]).toEqual([5, 35]);
      expect((await Promise.all(keys.map(isKeyUsed))).filter((isUsed) => isUsed)).toHaveLength(20);
    }
  });

  test("a member that claimed its key and lost its row to another transaction takes its claim back", async () => {
    const base = first();
    await writer().append(base, undefined);
    const key = randomUUID();
    const held = await log().hold(second(base));
    const appending = writer().append(second(base), claimOf(key));
    await untilItWaits();
    await held.commit();
    expect((await appending).kind).toBe("conflict");
    expect(await isKeyUsed(key)).toBe(false);
    expect((await log().reader.timeline(which(base), { afterSequence: 0, limit: 10 })).length).toBe(2);
  });

  test("a member that waited for a transaction that is rolled back gets its row", async () => {
    const base = first();
    await writer().append(base, undefined);
    const held = await log().hold(second(base));
    const appending = writer().append(second(base), claimOf());
    await untilItWaits();
    await held.rollBack();
    expect((await appending).kind).toBe("appended");
  });

  test("refuses a row that breaks a money rule", async () => {
    const bad = first();
    const broken: Transition = { ...bad, payment: { ...bad.payment, captured: 1n } };
    const key = randomUUID();
    await expect(writer().append(broken, claimOf(key))).rejects.toMatchObject({
      sqlState: "23514",
      constraint: expect.stringContaining("money"),
      work: "not_done",
    });
    expect(await isKeyUsed(key)).toBe(false);
    expect(await log().reader.newest(which(bad))).toBeUndefined();
  });
}

function testReading(log: Get<LogUnderTest>, writer: Get<LogWriter>): void {
  test("what is read back is what was written, and nobody else's", async () => {
    const { reader } = log();
    const made = first({ metadata: { "a b": 'x"y\\z', ünïcode: "✓" }, merchantReference: '{NULL},"' });
    const intent = second(made);
    const key = randomUUID();
    await writer().append(made, undefined);
    await writer().append(intent, claimOf(key));
    expect(await reader.newest(which(made))).toEqual(intent.payment);
    expect([await reader.at(which(made), 1), await reader.at(which(made), 2), await reader.at(which(made), 3)]).toEqual([
      made,
      intent,
      undefined,
    ]);
    expect(await reader.timeline(which(made), { afterSequence: 1, limit: 10 })).toEqual([intent]);
    const stranger = { id: made.payment.id, merchantId: makeId("merchant", Date.now(), randomBytes(10)) };
    expect([await reader.newest(stranger), await reader.at(stranger, 1), await reader.answerOf(stranger, 2)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await reader.key({ merchantId: stranger.merchantId, mode: "test", key })).toBeUndefined();
    expect(await reader.key({ merchantId, mode: "live", key })).toBeUndefined();
  });

  test("a key leads to the first row that answers its operation, and to none while nobody knows", async () => {
    const { reader } = log();
    const made = first();
    const intent = second(made);
    const unknown = third(intent, sampleOutcomes.unknown);
    const approved = third(unknown, sampleOutcomes.approved);
    const capture = requestCapture(
      approved.payment,
      { captureId: makeId("capture", Date.now(), randomBytes(10)), amount: 5n },
      { nowMs: Date.now(), origin: sampleOrigin },
    );
    if (capture.kind !== "append") throw new Error("refused");
    const key = randomUUID();
    const use = { merchantId, mode: "test", key } as const;
    await writer().append(made, undefined);
    await writer().append(intent, claimOf(key));
    await writer().append(unknown, undefined);
    const stored = { requestHash: hash, paymentId: made.payment.id, intentSequence: 2, createdAtMs: intent.event.occurredAtMs };
    expect(await reader.key(use)).toEqual({ ...stored, answer: undefined });
    expect(await reader.answerOf(which(made), 2)).toBeUndefined();
    await writer().append(approved, undefined);
    await writer().append(capture.transition, undefined);
    expect(await reader.key(use)).toEqual({ ...stored, answer: approved });
    expect([await reader.answerOf(which(made), 2), await reader.answerOf(which(made), 5)]).toEqual([approved, undefined]);
  });

  test("a key whose call went on to another attempt leads to that one's answer, and so does each of its intents", async () => {
    const { reader, operations } = log();
    const tail = log().newTail();
    const afterPosition = await settledPosition(tail);
    const intent = attempted();
    const attemptId = intent.event.operationId;
    const nextId = makeId("attempt", Date.now(), randomBytes(10));
    const rerouting = { attemptId, outcome: sampleOutcomes.notSent, next: { attemptId: nextId, connector: "other" } };
    const rerouted = rerouteAuthorization(intent.payment, rerouting, { nowMs: Date.now(), origin: sampleOrigin });
    const approved = third(rerouted, sampleOutcomes.approved);
    const key = randomUUID();
    await writer().append(intent, claimOf(key));
    await writer().append(rerouted, undefined);
    const use = { merchantId, mode: "test", key } as const;
    expect((await reader.key(use))?.answer).toBeUndefined();
    const throughPosition = await settledPosition(tail);
    const { operations: found } = await operations.abandoned({ afterPosition, throughPosition, limit: 100 });
    expect(found.map((one) => one.operationUuid)).toEqual([idToHex(nextId)]);
    await writer().append(approved, undefined);
    expect((await reader.key(use))?.answer).toEqual(approved);
    expect([await reader.answerOf(which(intent), 1), await reader.answerOf(which(intent), 2)]).toEqual([approved, approved]);
  });

  test("open operations are found by their place: unknown ones, and intents of which nothing was heard", async () => {
    const { operations } = log();
    const tail = log().newTail();
    const afterPosition = await settledPosition(tail);
    const [silent, unknown, answered] = [attempted(), attempted(), attempted()];
    for (const intent of [silent, unknown, answered]) await writer().append(intent, undefined);
    await writer().append(third(unknown, sampleOutcomes.unknown), undefined);
    await writer().append(third(answered, sampleOutcomes.approved), undefined);
    const throughPosition = await settledPosition(tail);
    const window = { afterPosition, throughPosition, limit: 100 };
    const found = async (source: "unsettled" | "abandoned") =>
      (await operations[source](window)).operations.map((one) => one.operationUuid);
    expect(await found("unsettled")).toEqual([idToHex(unknown.event.operationId)]);
    expect(await found("abandoned")).toEqual([idToHex(silent.event.operationId)]);
    expect((await operations.unsettled(window)).throughPosition).toBe(throughPosition);
    expect((await operations.unsettled({ ...window, limit: 1 })).throughPosition).toBeLessThan(throughPosition);
  });

  test("checkpoints are 0 until they are written, and what was written last", async () => {
    const { checkpoints } = log();
    const name = randomUUID();
    expect(await checkpoints.read(name)).toBe(0n);
    await checkpoints.write(name, 5n);
    await checkpoints.write(name, 3n);
    expect(await checkpoints.read(name)).toBe(3n);
  });

  test("the expiry sweep finds what may hold money by the time of its making, and what it put off when it is due", async () => {
    const { holds } = log();
    const madeAtMs = Date.now() - 3_600_000;
    const at = (ms: number) => first({ id: makeId("payment", ms, randomBytes(10)) });
    const made = [at(madeAtMs), at(madeAtMs + 1), at(madeAtMs + 2)] as const;
    for (const row of made) await writer().append(row, undefined);
    const intent = second(made[1]);
    await writer().append(intent, undefined);
    const step = await holds.madeBetween({ fromMs: madeAtMs, toMs: madeAtMs + 3, limit: 10 });
    expect(step).toEqual({ candidates: [which(made[1])], throughMs: madeAtMs + 3 });
    expect((await holds.madeBetween({ fromMs: madeAtMs, toMs: madeAtMs + 3, limit: 2 })).throughMs).toBe(madeAtMs + 1);
    await holds.postpone(which(made[1]), madeAtMs + 500);
    await holds.postpone(which(made[1]), madeAtMs + 600);
    expect([await holds.due(madeAtMs + 599, 10), await holds.due(madeAtMs + 600, 10)]).toEqual([[], [which(made[1])]]);
    await holds.forget(which(made[1]));
    expect(await holds.due(madeAtMs + 600, 10)).toEqual([]);
  });
}

function testFollowing(log: Get<LogUnderTest>): void {
  test("a transaction that is held open makes nobody skip its rows", async () => {
    const tail = log().newTail();
    const start = await settledPosition(tail);
    const [slow, fast] = [first(), first()];
    const held = await log().hold(slow);
    await log().writers[0].append(fast, undefined);
    // The fast row is committed and has the higher position; nobody may pass the open one.
    const during = [];
    for (let reads = 0; reads < 5; reads++) during.push(...(await tail.read(start, 100)).events);
    expect(during).toEqual([]);
    await held.commit();
    expect((await readAll(tail, start)).map(({ paymentId }) => paymentId)).toEqual([slow.payment.id, fast.payment.id]);
  });

  test("a transaction that is rolled back leaves a hole and no delay", async () => {
    const tail = log().newTail();
    const start = await settledPosition(tail);
    await (await log().hold(first())).rollBack();
    const next = first();
    await log().writers[0].append(next, undefined);
    expect((await readAll(tail, start)).map(({ paymentId }) => paymentId)).toEqual([next.payment.id]);
  });

  test("a page ends at its limit and the next goes on from there", async () => {
    const tail = log().newTail();
    const start = await settledPosition(tail);
    const rows = Array.from({ length: 5 }, () => first());
    for (const row of rows) await log().writers[0].append(row, undefined);
    const end = await settledPosition(tail);
    const page = await tail.read(start, 2);
    expect(page.events.map(({ paymentId }) => paymentId)).toEqual(rows.slice(0, 2).map(({ payment }) => payment.id));
    expect(page.throughPosition).toBe(required(page.events.at(-1), "an event").position);
    expect((await readAll(tail, page.throughPosition)).length).toBe(3);
    expect(await tail.read(end, 100)).toEqual({ throughPosition: end, events: [] });
  });
}

/** Long enough for a statement to come as far as the row that is in its way; the answer is the same if it has not. */
const untilItWaits = () => new Promise((resolve) => setTimeout(resolve, 100));

async function settledPosition(tail: LogTail): Promise<bigint> {
  await tail.look();
  return tail.look();
}

async function readAll(tail: LogTail, start: bigint) {
  const events = [];
  let position = start;
  for (let reads = 0; reads < 10; reads++) {
    const page = await tail.read(position, 100);
    events.push(...page.events);
    position = page.throughPosition;
  }
  return events;
}
