/**
 * What every event source must do, whatever carries the events. Each implementation brings a `World`: a log that the test appends to, and a
 * source that follows it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type EventBatch, EventBatchSchema, LoggedEventSchema } from "@florin/gen/events/v1/events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type EventSource, partitionCount } from "../src/bus/index.ts";
import { untilTrue } from "../src/testing/index.ts";

export type World = {
  readonly source: EventSource;
  /** Commits events in this order and makes them available to followers. */
  append(events: readonly TestEvent[]): Promise<void>;
  /** Makes everything available once more, as a relay does that lost its checkpoint. */
  repeat(): Promise<void>;
  /** Cuts every connection of the source; it must recover by itself. */
  cut(): Promise<void>;
  close(): Promise<void>;
};

export type TestEvent = { readonly position: bigint; readonly partition: number };

export const noPositions: readonly bigint[] = new Array<bigint>(partitionCount).fill(0n);

/** A batch of one partition, as a relay would publish it. */
export function batchOf(partition: number, positions: readonly bigint[], throughPosition?: bigint): EventBatch {
  const events = positions.map((position) =>
    create(LoggedEventSchema, { position, partition, body: new TextEncoder().encode(`event ${position}`) }),
  );
  return create(EventBatchSchema, { partition, events, throughPosition: throughPosition ?? positions.at(-1) ?? 0n });
}

/** A consumer that keeps its positions and effects as a database transaction would: both or none. */
export class Consumer {
  readonly positions: bigint[];
  readonly effects: TestEvent[] = [];
  readonly #stop = new AbortController();
  #following: Promise<void> = Promise.resolve();
  #inHandler = 0;
  /** Throws for a batch to make it fail. Called before the effect. */
  before: (batch: EventBatch) => Promise<void> | void = () => {};

  constructor(positions: readonly bigint[] = noPositions) {
    this.positions = [...positions];
  }

  start(source: EventSource): this {
    this.#following = source.follow({
      consumer: "test",
      afterPositions: this.positions,
      handle: (batch) => this.#handle(batch),
      signal: this.#stop.signal,
    });
    return this;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  get following(): Promise<void> {
    return this.#following;
  }

  seen(): readonly bigint[] {
    return this.effects.map(({ position }) => position);
  }

  async #handle(batch: EventBatch): Promise<void> {
    expect(++this.#inHandler).toBe(1);
    try {
      await this.before(batch);
      for (const event of batch.events) {
        expect(event.partition).toBe(batch.partition);
        if (event.position > (this.positions[batch.partition] ?? 0n))
          this.effects.push({ position: event.position, partition: event.partition });
      }
      this.positions[batch.partition] = batch.throughPosition;
    } finally {
      this.#inHandler -= 1;
    }
  }
}

const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : 1);

/** The same events spread over partitions: position n is in partition n mod 16. */
export const eventsFromTo = (first: number, last: number): readonly TestEvent[] =>
  Array.from({ length: last - first + 1 }, (_, index) => ({
    position: BigInt(first + index),
    partition: (first + index) % partitionCount,
  }));

function expectOrderWithinPartitions(consumer: Consumer): void {
  for (let partition = 0; partition < partitionCount; partition++) {
    const positions = consumer.effects.filter((effect) => effect.partition === partition).map(({ position }) => position);
    expect(positions).toEqual([...positions].sort(ascending));
  }
}

/** Registers the suite inside the caller's `describe`. */
export function eventSourceConformance(makeWorld: () => Promise<World>): void {
  let world: World;
  const consumers: Consumer[] = [];
  const consume = (positions?: readonly bigint[]): Consumer => {
    const consumer = new Consumer(positions);
    consumers.push(consumer);
    return consumer;
  };

  beforeEach(async () => {
    world = await makeWorld();
  });

  afterEach(async () => {
    for (const consumer of consumers.splice(0)) await consumer.stop().catch(() => {});
    await world.close();
  });

  test("every event arrives once, in order within its partition", async () => {
    const consumer = consume().start(world.source);
    await world.append(eventsFromTo(1, 100));
    await world.append(eventsFromTo(101, 200));
    await untilTrue(() => consumer.effects.length >= 200, 10_000);
    expect([...consumer.seen()].sort(ascending)).toEqual(eventsFromTo(1, 200).map(({ position }) => position));
    expectOrderWithinPartitions(consumer);
  });

  test("a consumer that comes back gets only what it has not handled", async () => {
    await world.append(eventsFromTo(1, 64));
    const first = consume().start(world.source);
    await untilTrue(() => first.effects.length === 64, 10_000);
    await first.stop();
    await world.append(eventsFromTo(65, 96));
    const second = consume(first.positions).start(world.source);
    await untilTrue(() => second.effects.length >= 32, 10_000);
    expect([...second.seen()].sort(ascending)).toEqual(eventsFromTo(65, 96).map(({ position }) => position));
  });

  test("events delivered twice have one effect", async () => {
    const consumer = consume().start(world.source);
    await world.append(eventsFromTo(1, 48));
    await world.repeat();
    await world.append(eventsFromTo(49, 64));
    await untilTrue(() => consumer.effects.length >= 64, 10_000);
    await sleep(100);
    expect(consumer.effects).toHaveLength(64);
  });

  test("a failing handler gets the same batch again before anything later of its partition", async () => {
    const consumer = consume();
    let failuresLeft = 2;
    const attempts: bigint[] = [];
    consumer.before = (batch) => {
      if (batch.partition !== 3) return;
      attempts.push(batch.events[0]?.position ?? 0n);
      if (failuresLeft-- > 0) throw new Error("the database is away");
    };
    consumer.start(world.source);
    await world.append(eventsFromTo(1, 64));
    await untilTrue(() => consumer.effects.length >= 64, 10_000);
    expect(attempts.slice(0, 3)).toEqual([3n, 3n, 3n]);
    expectOrderWithinPartitions(consumer);
  });

  test("a failing partition does not hold up the others", async () => {
    const consumer = consume();
    consumer.before = (batch) => {
      if (batch.partition === 5) throw new Error("never");
    };
    consumer.start(world.source);
    await world.append(eventsFromTo(1, 32));
    await untilTrue(() => consumer.effects.length === 30, 10_000);
    expect(consumer.positions[5]).toBe(0n);
  });

  test("an abort ends the following after the handler under way", async () => {
    const consumer = consume();
    let hasFinished = false;
    let hasBegun = false;
    consumer.before = async () => {
      hasBegun = true;
      await sleep(100);
      hasFinished = true;
    };
    consumer.start(world.source);
    await world.append(eventsFromTo(1, 1));
    await untilTrue(() => hasBegun, 10_000);
    await consumer.stop();
    expect(hasFinished).toBe(true);
  });

  test("an abort ends the following while nothing happens", async () => {
    const consumer = consume().start(world.source);
    await sleep(50);
    const startedAtMs = performance.now();
    await consumer.stop();
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  });

  test("a cut connection costs no event", async () => {
    const consumer = consume().start(world.source);
    await world.append(eventsFromTo(1, 32));
    await untilTrue(() => consumer.effects.length >= 16, 10_000);
    await world.cut();
    await world.append(eventsFromTo(33, 64));
    await untilTrue(() => consumer.effects.length >= 64, 20_000);
    expect([...consumer.seen()].sort(ascending)).toEqual(eventsFromTo(1, 64).map(({ position }) => position));
    expectOrderWithinPartitions(consumer);
  });
}
