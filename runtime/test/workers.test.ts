/** Real worker threads behind the batcher. */
import { afterEach, expect, test } from "vitest";
import type { Batcher } from "../src/batch/index.ts";
import { createWorkerBatcher, type WorkerBatcherOptions } from "../src/workers/index.ts";

const open: Batcher<string, string>[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((batcher) => batcher.close()));
});

function workers(o: Partial<WorkerBatcherOptions> = {}): Batcher<string, string> {
  const filename = new URL("./workers/scripted.worker.ts", import.meta.url);
  const batcher = createWorkerBatcher<string, string>({
    name: "scripted",
    filename,
    batchMax: 100,
    queueDepthMax: 1_000,
    threadsMax: 1,
    ...o,
  });
  open.push(batcher);
  return batcher;
}

const facts = (settled: PromiseSettledResult<string>) =>
  settled.status === "fulfilled" ? settled.value : `${settled.reason.code}/${settled.reason.work}`;

test("members of one turn travel in one task, and each gets its own answer or fault", async () => {
  const batcher = workers({ workerData: "a setting" });
  const answers = await Promise.allSettled(["a", "refuse", "b", "bug", "given"].map((member) => batcher.submit(member)));
  expect(answers.map(facts)).toEqual(["a:1", "parameter_invalid/not_done", "b:3", "internal/unknown", "a setting"]);
  expect(answers[1]).toMatchObject({ reason: { param: "member", message: "no" } });
});

test("a full queue is an answer", async () => {
  const batcher = workers({ queueDepthMax: 3 });
  const accepted = ["a", "b", "c"].map((member) => batcher.submit(member));
  await expect(batcher.submit("d")).rejects.toMatchObject({ code: "overloaded", work: "not_done" });
  await Promise.all(accepted);
});

test("a thread that dies fails its own batch only, as unknown, and is replaced", async () => {
  const batcher = workers({ batchMax: 2 });
  const answers = Promise.allSettled(["a", "die", "b", "c"].map((member) => batcher.submit(member)));
  expect((await answers).map(facts)).toEqual(["unavailable/unknown", "unavailable/unknown", "b:1", "c:2"]);
});

test("a batch that hangs loses its thread, and the next batch runs", async () => {
  const batcher = workers({ batchMax: 1, batchTimeoutMs: 1_500 });
  await batcher.submit("warm");
  const answers = await Promise.allSettled(["hang", "after"].map((member) => batcher.submit(member)));
  expect(answers.map(facts)).toEqual(["deadline_exceeded/unknown", "after:1"]);
});

test("batches run on all threads at once", async () => {
  const batcher = workers({ batchMax: 1, threadsMax: 2 });
  const places = await Promise.all(Array.from({ length: 50 }, () => batcher.submit("where")));
  expect(new Set(places).size).toBe(2);
});

test("close waits for what was accepted", async () => {
  const batcher = workers();
  const answer = batcher.submit("a");
  await batcher.close();
  expect(await answer).toBe("a:1");
  await expect(batcher.submit("b")).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
});
