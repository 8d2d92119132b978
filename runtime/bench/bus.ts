/**
 * Question: what does an event cost on its way through JetStream, and how many go through, when a relay publishes one message per
 * partition and flush?
 *
 * Publisher and consumer in this process, the server beside it on the same machine, events of 400 bytes. CPU is this process (both sides)
 * and the server's, microseconds per event.
 */
import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { type EventBatch, EventBatchSchema, LoggedEventSchema } from "@florin/gen/events/v1/events";
import { createJetStreamBus, partitionCount } from "../src/bus/index.ts";
import { createLogger } from "../src/telemetry/index.ts";
import { testNats } from "../src/testing/index.ts";

const eventsTotal = 200_000;
const body = new Uint8Array(400);
const server = await testNats();
if (server === undefined) throw new Error("no nats-server");
const bus = await createJetStreamBus({ url: server.url, logger: createLogger({ service: "bench", level: "warn" }) });

let position = 0n;
console.log("events per flush | published/s | consumed/s | CPU µs/event here | CPU µs/event server");
for (const eventsPerFlush of [16, 256, 2_048]) await round(eventsPerFlush);
await bus.close();
await server.stop();

async function round(eventsPerFlush: number): Promise<void> {
  const afterPosition = position;
  const cpu = process.cpuUsage();
  const serverCpuMs = serverCpu();
  const stop = new AbortController();
  let seen = 0;
  let wake = (): void => {};
  const consumedAll = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const following = bus.follow({
    consumer: "bench",
    afterPositions: new Array<bigint>(partitionCount).fill(afterPosition),
    handle: async (batch) => {
      seen += batch.events.length;
      if (seen >= eventsTotal) wake();
    },
    signal: stop.signal,
  });
  const startedAtMs = performance.now();
  for (let sent = 0; sent < eventsTotal; sent += eventsPerFlush) await bus.publish(flush(eventsPerFlush), { afterPosition });
  const publishedMs = performance.now() - startedAtMs;
  await consumedAll;
  const consumedMs = performance.now() - startedAtMs;
  stop.abort();
  await following;
  const { user, system } = process.cpuUsage(cpu);
  const rate = (ms: number): string => Math.round((eventsTotal / ms) * 1_000).toLocaleString("en");
  const serverMicros = ((serverCpu() - serverCpuMs) * 1_000) / eventsTotal;
  console.log(
    `${eventsPerFlush} | ${rate(publishedMs)} | ${rate(consumedMs)} | ${((user + system) / eventsTotal).toFixed(2)} | ${serverMicros.toFixed(2)}`,
  );
}

function flush(eventsPerFlush: number): EventBatch[] {
  const perPartition = eventsPerFlush / partitionCount;
  const through = position + BigInt(eventsPerFlush);
  return Array.from({ length: partitionCount }, (_, partition) => {
    const events = Array.from({ length: perPartition }, () => {
      position += 1n;
      return create(LoggedEventSchema, { position, partition, body });
    });
    return create(EventBatchSchema, { partition, events, throughPosition: through });
  });
}

/** User and system time of the server, ms (Linux; clock ticks of 10 ms). */
function serverCpu(): number {
  const fields = readFileSync(`/proc/${server?.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
