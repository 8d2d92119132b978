/**
 * Keeps the live links of every processor granted: per processor one replica leads, by an advisory lock of its own, and grants five times in each
 * validity.
 *
 * A leader that cannot reach its connectors gives the lock back, so that another replica, which may reach others, can lead.
 */
import { createHash } from "node:crypto";
import type { Sql } from "@florin/runtime/postgres";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import { systemTiming } from "@florin/runtime/timing";
import { createLinkGranter, type LinkGranter } from "../app/grant-links.ts";
import type { GrantRules } from "../domain/links/index.ts";
import { createLinkTerms } from "../store/link-terms.ts";
import { lead, type Worker } from "./lead.ts";

type LinkClient = Parameters<typeof createLinkGranter>[0]["client"];

export type GrantLinksParts = {
  readonly client: LinkClient;
  readonly sql: Sql;
  readonly databaseUrl: string;
  readonly metrics: Pick<Metrics, "count">;
  readonly logger: Logger;
  /** Default: 5 s, and 1 s of margin. */
  readonly rules?: GrantRules;
};

const grantRules: GrantRules = { validForMs: 5_000, marginMs: 1_000 };
const grantsPerValidity = 5;
/** Until the first grant, and while another process may still have the links. */
const asksPerValidity = 50;
const listPeriodMs = 5_000;
const listRetryMs = 500;
/** Rounds in a row that reach nobody before another replica may try. */
const failuresMax = 2;
const processorsMax = 32;

export function startLinkGranting(o: GrantLinksParts): Worker {
  const { rules = grantRules } = o;
  const stopping = new AbortController();
  const leading = new Map<string, Worker>();

  const leadFor = (connector: string): Worker => {
    const granter = createLinkGranter({
      ...{ connector, client: o.client, rules, metrics: o.metrics },
      terms: createLinkTerms(o.sql),
      monotonicMs: systemTiming.monotonicMs,
    });
    const work = (signal: AbortSignal) => grantWhileLeading(granter, rules, signal);
    return lead({ name: `links-${connector}`, logger: o.logger, work, lockKey: linkLockKey(connector), databaseUrl: o.databaseUrl });
  };

  /** Follows what the connectors process says it has. */
  const look = async (): Promise<void> => {
    const live = new Set((await o.client.list()).slice(0, processorsMax));
    for (const [connector, worker] of leading) {
      if (live.has(connector)) continue;
      leading.delete(connector);
      await worker.stop();
    }
    for (const connector of live) if (!leading.has(connector)) leading.set(connector, leadFor(connector));
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const isListed = await look().then(
        () => true,
        (err: unknown) => {
          o.logger.debug({ err }, "the connectors do not say which links they have");
          return false;
        },
      );
      await systemTiming.sleep(isListed ? listPeriodMs : listRetryMs, stopping.signal);
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
      await Promise.all([...leading.values()].map((worker) => worker.stop()));
    },
  };
}

/** Ends when another replica leads, when nobody can be reached, or with `signal`. */
async function grantWhileLeading(granter: LinkGranter, { validForMs }: GrantRules, signal: AbortSignal): Promise<void> {
  await granter.begin();
  let failures = 0;
  while (!signal.aborted) {
    const outcome = await granter.round().catch(() => "failed" as const);
    if (outcome === "deposed") return;
    failures = outcome === "failed" ? failures + 1 : 0;
    if (failures >= failuresMax) return;
    await systemTiming.sleep(validForMs / (outcome === "granted" ? grantsPerValidity : asksPerValidity), signal);
  }
}

/** Of a processor, by its name: the same in every replica, 32 bits, apart from the fixed numbers (lead.ts). */
export function linkLockKey(connector: string): number {
  return 0x4000_0000 + (createHash("sha256").update(connector).digest().readUInt32BE(0) % 0x3fff_ffff);
}
