/**
 * Question: what does the batcher cost per member, on top of the work that it batches?
 *
 * `run` answers every member at once from a settled promise, so all that is measured is the batcher: a promise and a slot per member,
 * one event-loop turn per batch. The ruler is the same loop over a bare async function. One process, user + system CPU, medians of rounds.
 *
 *   node runtime/bench/batch.bench.ts [--json] [--rounds 7]
 */
import { required } from "@florin/kernel";
import { createBatcher, type Settled } from "../src/batch/index.ts";

const membersPerRound = 200_000;
const rounds = numberOption("--rounds", 7);
const widths = [1, 16, 64, 256, 1_024];

type Call = (member: number) => Promise<number>;
type Row = { inFlight: number; batcherMicros: number; bareMicros: number; overheadMicros: number; membersPerBatch: number };

const rows: Row[] = [];
for (const inFlight of widths) rows.push(await measure(inFlight));
if (process.argv.includes("--json")) console.log(JSON.stringify({ rows }, undefined, 2));
else console.table(rows);

async function measure(inFlight: number): Promise<Row> {
  let batchCount = 0;
  let memberCount = 0;
  const batcher = createBatcher<number, number>({
    name: "bench",
    batchMax: 1_024,
    queueDepthMax: 4_096,
    run: async (members) => {
      batchCount += 1;
      memberCount += members.length;
      return members.map((value): Settled<number> => ({ ok: true, value }));
    },
  });
  const batched: Call = (member) => batcher.submit(member);
  const bare: Call = async (member) => member;
  const micros: { batched: number[]; bare: number[] } = { batched: [], bare: [] };
  await drive(batched, inFlight);
  await drive(bare, inFlight);
  for (let round = 0; round < rounds; round += 1) {
    micros.batched.push(await drive(batched, inFlight));
    micros.bare.push(await drive(bare, inFlight));
  }
  const batcherMicros = median(micros.batched);
  const bareMicros = median(micros.bare);
  const overheadMicros = round3(batcherMicros - bareMicros);
  return {
    inFlight,
    batcherMicros: round3(batcherMicros),
    bareMicros: round3(bareMicros),
    overheadMicros,
    membersPerBatch: round3(memberCount / batchCount),
  };
}

/** CPU-µs per member of a closed loop with `inFlight` callers. */
async function drive(call: Call, inFlight: number): Promise<number> {
  const count = inFlight === 1 ? membersPerRound / 10 : membersPerRound;
  let next = 0;
  const before = process.cpuUsage();
  const caller = async () => {
    while (next < count) {
      next += 1;
      await call(next);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return required(sorted[Math.floor(sorted.length / 2)], "a value");
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function numberOption(name: string, otherwise: number): number {
  const index = process.argv.indexOf(name);
  return index === -1 ? otherwise : Number(process.argv[index + 1]);
}
