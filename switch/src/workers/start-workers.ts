/** Starts the switch's background work and stops it in one go. */
import type { JetStreamBus } from "@florin/runtime/bus";
import type { Sql } from "@florin/runtime/postgres";
import type { Logger } from "@florin/runtime/telemetry";
import type { Parts } from "../app/parts.ts";
import type { LogTail } from "../store/log-tail.ts";
import { startPartitionMaker } from "./ensure-partitions.ts";
import { lead, lockKeys, type Worker } from "./lead.ts";
import { relay } from "./relay.ts";

export type WorkerParts = {
  readonly parts: Parts;
  readonly sql: Sql;
  /** Workers that lead hold a connection of their own. */
  readonly databaseUrl: string;
  readonly tail: LogTail;
  /** Absent: nobody to relay to. */
  readonly bus: JetStreamBus | undefined;
  readonly logger: Logger;
};

export async function startWorkers(o: WorkerParts): Promise<Worker> {
  const { logger, databaseUrl, bus, tail } = o;
  const partitions = await startPartitionMaker(o);
  const workers: Worker[] = [];
  if (bus !== undefined) {
    const work = (signal: AbortSignal) => relay({ tail, bus, logger, metrics: o.parts.metrics }, signal);
    workers.push(lead({ name: "relay", lockKey: lockKeys.relay, databaseUrl, logger, work }));
  }
  return {
    async stop() {
      partitions.stop();
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}
