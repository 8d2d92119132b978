import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type EventBatch, type LoggedEvent, LoggedEventSchema } from "@florin/gen/events/v1/events";
import { expect, test } from "vitest";
import { createLogger } from "../telemetry/index.ts";
import { partitionCount } from "./event-bus.ts";
import { PartitionIntake } from "./partition-intake.ts";

const event = (position: bigint, partition = 0): LoggedEvent => create(LoggedEventSchema, { position, partition });

function intakeAt(position: bigint, handle: (batch: EventBatch) => Promise<void>) {
  const stop = new AbortController();
  const handled: EventBatch[] = [];
  const intake = new PartitionIntake({
    afterPositions: new Array<bigint>(partitionCount).fill(position),
    handle: async (batch) => {
      await handle(batch);
      handled.push(batch);
    },
    signal: stop.signal,
    logger: createLogger({ service: "test", level: "silent" }),
    consumer: "test",
    onRedelivery: () => {},
  });
  return { intake, handled, stop };
}

test("an offer that begins after what was seen is a gap, and nothing of it is taken", async () => {
  const { intake, handled } = intakeAt(10n, async () => {});
  expect(intake.offer({ partition: 0, afterPosition: 11n, throughPosition: 20n, events: [event(20n)] })).toBe("gap");
  await intake.finish();
  expect(handled).toHaveLength(0);
  expect(intake.handled[0]).toBe(10n);
});

test("of an overlapping offer only the new events are taken", async () => {
  const { intake, handled } = intakeAt(10n, async () => {});
  expect(intake.offer({ partition: 0, afterPosition: 5n, throughPosition: 12n, events: [event(8n), event(12n)] })).toBe("taken");
  expect(intake.offer({ partition: 0, afterPosition: 5n, throughPosition: 12n, events: [event(8n), event(12n)] })).toBe("old");
  await intake.finish();
  expect(handled.flatMap((batch) => batch.events.map(({ position }) => position))).toEqual([12n]);
});

test("what arrives while the handler runs comes as one batch", async () => {
  const { intake, handled } = intakeAt(0n, () => sleep(20));
  for (let position = 1n; position <= 10n; position++) {
    intake.offer({ partition: 0, afterPosition: position - 1n, throughPosition: position, events: [event(position)] });
    if (position === 1n) await sleep(5);
  }
  await intake.finish();
  expect(handled.map((batch) => batch.events.length)).toEqual([1, 9]);
  expect(intake.handled[0]).toBe(10n);
});

test("one call gets at most 512 events, and its position is that of its last one", async () => {
  const { intake, handled } = intakeAt(0n, async () => {});
  const events = Array.from({ length: 1_000 }, (_, index) => event(BigInt(index + 1)));
  intake.offer({ partition: 0, afterPosition: 0n, throughPosition: 1_500n, events });
  await intake.finish();
  expect(handled.map((batch) => batch.throughPosition)).toEqual([512n, 1_500n]);
});

test("a partition without events moves in memory, and is told to the handler only now and then", async () => {
  const { intake, handled } = intakeAt(0n, async () => {});
  intake.offer({ partition: 4, afterPosition: 0n, throughPosition: 9_999n, events: [] });
  expect(intake.handled[4]).toBe(9_999n);
  intake.offer({ partition: 4, afterPosition: 9_999n, throughPosition: 10_000n, events: [] });
  await intake.finish();
  expect(handled).toMatchObject([{ partition: 4, throughPosition: 10_000n, events: [] }]);
});

test("a source waits while too much waits for the handler", async () => {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { intake } = intakeAt(0n, () => gate);
  intake.offer({
    partition: 0,
    afterPosition: 0n,
    throughPosition: 9_000n,
    events: Array.from({ length: 9_000 }, (_, index) => event(BigInt(index + 1))),
  });
  let hasRoom = false;
  const waiting = intake.whenRoom().then(() => {
    hasRoom = true;
  });
  await sleep(20);
  expect(hasRoom).toBe(false);
  release();
  await waiting;
  await intake.finish();
});

test("an abort gives up what waits, once the call under way has ended", async () => {
  const { intake, handled, stop } = intakeAt(0n, () => sleep(30));
  intake.offer({ partition: 0, afterPosition: 0n, throughPosition: 1n, events: [event(1n)] });
  intake.offer({ partition: 1, afterPosition: 0n, throughPosition: 2n, events: [event(2n, 1)] });
  await sleep(5);
  stop.abort();
  await intake.finish();
  expect(handled).toHaveLength(1);
  expect(intake.handled[1]).toBe(0n);
});
