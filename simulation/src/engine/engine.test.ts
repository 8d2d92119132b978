import { expect, test } from "vitest";
import { EventQueue } from "./event-queue.ts";
import { Life } from "./life.ts";
import { createRandom } from "./random.ts";
import { createWorld, type World } from "./world.ts";

const runAll = (world: World) => world.run({ isDone: () => false, askEveryMs: 1_000, untilMs: 10_000 });

test("events come by time, and those of one moment in the order in which they were put in", () => {
  const queue = new EventQueue();
  const random = createRandom(7);
  const times = Array.from({ length: 500 }, () => random.below(50));
  const ran: [number, number][] = [];
  for (const [index, atMs] of times.entries()) queue.push(atMs, () => ran.push([atMs, index]));
  for (let event = queue.pop(); event !== undefined; event = queue.pop()) event.run?.();
  expect(ran).toEqual(times.map((atMs, index): [number, number] => [atMs, index]).sort(([a, i], [b, j]) => a - b || i - j));
});

test("the same seed draws the same numbers, another seed others, and a fork does not shift its source", () => {
  const draw = (seed: number) => Array.from({ length: 5 }, createRandom(seed).unit);
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  const [left, right] = [createRandom(3), createRandom(3)];
  left.fork().unit();
  right.fork();
  expect(left.unit()).toBe(right.unit());
});

test("each event's promises are settled before the next event", async () => {
  const world = createWorld(1);
  const order: string[] = [];
  world.schedule(1, () => {
    void Promise.resolve()
      .then(() => order.push("1"))
      .then(() => Promise.resolve())
      .then(() => order.push("1 later"));
  });
  world.schedule(1, () => order.push("2"));
  await runAll(world);
  expect(order).toEqual(["1", "1 later", "2"]);
});

test("an event that was taken back does not happen", async () => {
  const world = createWorld(1);
  let happened = 0;
  const takeBack = world.schedule(1, () => {
    happened += 1;
  });
  world.schedule(2, () => {
    happened += 10;
  });
  takeBack();
  await runAll(world);
  expect(happened).toBe(10);
});

test("the trace hash tells two traces apart, by word and by time", async () => {
  const hashOf = async (atMs: number, word: string) => {
    const world = createWorld(1);
    world.schedule(atMs, () => world.note("happened", word));
    await runAll(world);
    return world.traceHash();
  };
  expect(await hashOf(1, "a")).toBe(await hashOf(1, "a"));
  expect(new Set([await hashOf(1, "a"), await hashOf(1, "b"), await hashOf(2, "a")]).size).toBe(3);
});

test("nothing of a life acts after its end: its waits stay, its timers never ring, its answers come to nobody", async () => {
  const world = createWorld(1);
  const life = new Life(world, "victim");
  const acted: string[] = [];
  void life.timing.sleep(5).then(() => acted.push("slept"));
  life.timing.after(5, () => acted.push("rang"));
  life.timing.atTurnEnd(() => acted.push("turn ended"));
  void life.promise<void>((resolve) => world.schedule(5, resolve)).then(() => acted.push("answered"));
  let others = 0;
  life.onEnd(() => {
    others += 1;
  });
  world.schedule(0, () => {
    life.end();
    life.end();
    void life.timing.sleep(1).then(() => acted.push("slept after the end"));
    void life.promise<void>((resolve) => resolve()).then(() => acted.push("began after the end"));
  });
  await runAll(world);
  expect([acted, others]).toEqual([[], 1]);
});

test("a pause of a living process ends early when its signal is aborted", async () => {
  const world = createWorld(1);
  const life = new Life(world, "alive");
  const stopping = new AbortController();
  let wokenAtMs = 0;
  void life.timing.sleep(5_000, stopping.signal).then(() => {
    wokenAtMs = world.nowMs;
  });
  world.schedule(20, () => stopping.abort());
  await runAll(world);
  expect(wokenAtMs).toBe(20);
});
