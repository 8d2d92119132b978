/** Runs a loop in one replica at a time and takes over when the other is gone. */
import { connectPostgres, endPostgres, type Leadership, tryToLead } from "@florin/runtime/postgres";
import type { Logger } from "@florin/runtime/telemetry";
import { systemTiming, type Timing } from "@florin/runtime/timing";

/** Lock numbers of this database. */
export const lockKeys = { relay: 7_101, expiry: 7_102, followUp: 7_103 } as const;

export type Worker = { /** Ends the loop and gives the lock back. Safe to repeat. */ stop(): Promise<void> };

const attemptPeriodMs = 1_000;

export type LeadOptions = {
  readonly name: string;
  readonly logger: Logger;
  readonly work: (signal: AbortSignal) => Promise<void>;
};

/**
 * `work` runs while this replica leads; it ends when `signal` is aborted (stopping, or leadership lost). A fault is logged, and the
 * worker tries again after a pause.
 */
export function lead(o: LeadOptions & { readonly lockKey: number; readonly databaseUrl: string }): Worker {
  const session = connectPostgres({ url: o.databaseUrl, name: `florin-switch-${o.name}`, connectionsMax: 1 });
  const worker = leadBy(o, { tryToLead: () => tryToLead(session, o.lockKey), timing: systemTiming });
  return {
    async stop() {
      await worker.stop();
      await endPostgres(session);
    },
  };
}

/** The same over any form of election. */
export function leadBy(
  o: LeadOptions,
  by: { readonly tryToLead: () => Promise<Leadership | undefined>; readonly timing: Pick<Timing, "sleep"> },
): Worker {
  const stopping = new AbortController();

  async function attempt(): Promise<void> {
    const leadership = await by.tryToLead();
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
      await by.timing.sleep(attemptPeriodMs, stopping.signal);
    }
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
