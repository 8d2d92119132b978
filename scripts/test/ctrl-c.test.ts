/** Ctrl-C while merchants are waiting: what was accepted is answered, and what was answered is so. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectPostgres } from "@florin/runtime/postgres";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, expect, test } from "vitest";
import type { UpFile } from "../up/state-files.ts";
import { type Answer, authorize, chargesOf, down, freeBasePort, isAlive, readUp, startCommand, up } from "./command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "florin-ctrl-c-"));
const early = Array.from({ length: 20 }, (_, n) => `early-${n}`);
const late = Array.from({ length: 20 }, (_, n) => `late-${n}`);

afterAll(async () => {
  await down(directory);
  rmSync(directory, { recursive: true, force: true });
});

test("nothing in flight loses its answer, and every order is charged once", async () => {
  const words = ["--profile", "embedded", "--directory", directory];
  // Long enough that all of them are at the acquirer when the signal comes.
  const attached = startCommand(["up", ...words, "--port", String(await freeBasePort()), "--simulator-latency", "3000"]);
  await untilTrue(() => attached.output().includes("Florin is up"), 60_000);
  const stack = readUp(directory);

  const answers = Promise.all(early.map((key) => authorize(stack, key)));
  await untilTrue(async () => (await countOf(stack, early)) === early.length, 30_000);
  attached.child.kill("SIGINT");
  // These come while it drains: each is answered or turned away, and a merchant asks again with the same key.
  const turnedAway = Promise.all(late.map((key) => authorize(stack, key).catch(() => undefined)));

  expect((await answers).map(({ status }) => status)).toEqual(early.map(() => 201));
  const lateAnswers = await turnedAway;
  const { code, output } = await attached.finished;
  expect([code, output.includes("florin: stopped")]).toEqual([0, true]);
  expect(stack.processes.filter(({ pid }) => isAlive(pid))).toEqual([]);

  const again = await up(directory);
  await expectSame(again, early, await answers);
  await expectSame(again, late, lateAnswers);
});

/** Asks again for every order; what was decided before is what is answered now, and the acquirer has charged each once. */
async function expectSame(stack: UpFile, keys: readonly string[], before: readonly (Answer | undefined)[]): Promise<void> {
  const after = await Promise.all(keys.map((key) => authorize(stack, key)));
  expect(after.map(({ body }) => body["status"])).toEqual(keys.map(() => "authorized"));
  for (const [n, answer] of before.entries()) if (answer?.status === 201) expect(after[n]?.body).toEqual(answer.body);
  expect(await Promise.all(keys.map((key) => chargesOf(stack, key)))).toEqual(keys.map(() => 1));
}

/** How many of these keys the payment log has: their intents are committed, which is when they go to the acquirer. */
async function countOf(stack: UpFile, keys: readonly string[]): Promise<number> {
  const url = new URL(stack.databaseUrl);
  url.pathname = "/florin_switch";
  const sql = connectPostgres({ url: url.toString(), name: "test", connectionsMax: 1 });
  const [row] = await sql<{ count: number }[]>`SELECT count(*)::int AS count FROM idempotency_keys WHERE key IN ${sql([...keys])}`;
  await sql.end();
  return row?.count ?? 0;
}
