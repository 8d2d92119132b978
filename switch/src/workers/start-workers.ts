/** Starts the switch's background work and stops it in one go. */
import type { JetStreamBus } from "@florin/runtime/bus";
import type { Sql } from "@florin/runtime/postgres";
import type { Logger } from "@florin/runtime/telemetry";
import type { News } from "../app/follow-up.ts";
import type { Parts } from "../app/parts.ts";
import { createExpiringHolds } from "../store/expiring-holds.ts";
import type { LogTail } from "../store/log-tail.ts";
import { createOpenOperations } from "../store/open-operations.ts";
import { createWorkerCheckpoints } from "../store/worker-checkpoints.ts";
import { startPartitionMaker } from "./ensure-partitions.ts";
import { expireAuthorizations } from "./expire-authorizations.ts";
import { followUpOperations } from "./follow-up-operations.ts";
import { startForgettingDeclines } from "./forget-declines.ts";
import { type GrantLinksParts, startLinkGranting } from "./grant-links.ts";
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
  readonly links: GrantLinksParts["client"];
  readonly news: News;
  readonly logger: Logger;
};

export async function startWorkers(o: WorkerParts): Promise<Worker> {
  const { parts, sql, tail, bus, logger } = o;
  const checkpoints = createWorkerCheckpoints(sql);
  const sweep = { parts, holds: createExpiringHolds(sql), checkpoints, logger };
  const followUp = { parts, tail, operations: createOpenOperations(sql), checkpoints, news: o.news, logger };
  const leadWith = (name: keyof typeof lockKeys, work: (signal: AbortSignal) => Promise<void>) =>
    lead({ name, lockKey: lockKeys[name], databaseUrl: o.databaseUrl, logger, work });
  const partitions = await startPartitionMaker(o);
  const forgetting = startForgettingDeclines(o);
  const workers = [
    leadWith("expiry", (signal) => expireAuthorizations(sweep, signal)),
    startLinkGranting({ client: o.links, sql, databaseUrl: o.databaseUrl, metrics: parts.metrics, logger }),
    leadWith("followUp", (signal) => followUpOperations(followUp, signal)),
  ];
  if (bus !== undefined) workers.push(leadWith("relay", (signal) => relay({ tail, bus, logger, metrics: parts.metrics }, signal)));
  return {
    async stop() {
      partitions.stop();
      forgetting.stop();
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}
