/** Runs a loop in one replica at a time and takes over when the other is gone. */
import { setTimeout as sleep } from "node:timers/promises";
import { connectPostgres, endPostgres, tryToLead } from "@florin/runtime/postgres";
import type { Logger } from "@florin/runtime/telemetry";

/** Lock numbers of this database. */
export const lockKeys = { relay: 7_101, expiry: 7_102, followUp: 7_103 } as const;

export type Worker = { /** Ends the loop and gives the lock back. Safe to repeat. */ stop(): Promise<void> };

const attemptPeriodMs = 1_000;

/**
 * `work` runs while this replica leads; it ends when `signal` is aborted (stopping, or leadership lost). A fault is logged, and the
 * worker tries again after a pause.
 */
export function lead(o: {
  readonly name: string;
  readonly lockKey: number;
  readonly databaseUrl: string;
  readonly logger: Logger;
  readonly work: (signal: AbortSignal) => Promise<void>;
}): Worker {
  const session = connectPostgres({ url: o.databaseUrl, name: `florin-switch-${o.name}`, connectionsMax: 1 });
  const stopping = new AbortController();

  async function attempt(): Promise<void> {
    const leadership = await tryToLead(session, o.lockKey);
    if (leadership === undefined) return;
    o.logger.info({ worker: o.name }, "leading");
    try {
      await o.work(AbortSignal.any([stopping.signal, leadership.lost]));
    } finally {
      await leadership.release();
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await attempt().catch((err: unknown) => o.logger.warn({ err, worker: o.name }, "a worker failed; it tries again"));
      await sleep(attemptPeriodMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
      await endPostgres(session);
    },
  };
}
