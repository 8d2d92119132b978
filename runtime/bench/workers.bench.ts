/**
 * Question: what does a member cost on a worker thread when it travels in a batch, against a task of its own, and against the loop itself?
 *
 * The member's work is one SHA-256 of 300 bytes (1 to 2 µs), far too little for a thread: what is left is the way there and back. CPU is
 * user + system of the whole process, threads included; closed loop of 256 members in flight; medians of interleaved rounds.
 *
 *   node runtime/bench/workers.bench.ts [--json] [--rounds 5]
 */
import { hash } from "node:crypto";
import { required } from "@florin/kernel";
import type { Batcher } from "../src/batch/index.ts";
import { createWorkerBatcher } from "../src/workers/index.ts";

const membersPerRound = 10_000;
const inFlight = 256;
const rounds = numberOption("--rounds", 5);
const member = "m".repeat(300);
const filename = new URL("./workers/hash.worker.ts", import.meta.url);

const options = { name: "hash", filename, queueDepthMax: 4_096, threadsMax: 1 };
const batched = createWorkerBatcher<string, string>({ ...options, batchMax: 256 });
const single = createWorkerBatcher<string, string>({ ...options, batchMax: 1 });
const calls = new Map<string, () => Promise<string>>([
  ["on the loop", async () => hash("sha256", member)],
  ["one task each", submitTo(single)],
  ["batched", submitTo(batched)],
]);

const micros = new Map<string, number[]>();
for (const call of calls.values()) await drive(call);
for (let round = 0; round < rounds; round += 1) {
  for (const [name, call] of calls) micros.set(name, [...(micros.get(name) ?? []), await drive(call)]);
}
const rows = [...micros].map(([name, values]) => ({ name, cpuMicrosPerMember: Math.round(median(values) * 100) / 100 }));
if (process.argv.includes("--json")) console.log(JSON.stringify({ rows }, undefined, 2));
else console.table(rows);
await Promise.all([batched.close(), single.close()]);

function submitTo(batcher: Batcher<string, string>): () => Promise<string> {
  return () => batcher.submit(member);
}

/** CPU-µs per member. */
async function drive(call: () => Promise<string>): Promise<number> {
  let next = 0;
  const before = process.cpuUsage();
  const caller = async () => {
    while (next < membersPerRound) {
      next += 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / membersPerRound;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return required(sorted[Math.floor(sorted.length / 2)], "a value");
}

function numberOption(name: string, otherwise: number): number {
  const index = process.argv.indexOf(name);
  return index === -1 ? otherwise : Number(process.argv[index + 1]);
}
