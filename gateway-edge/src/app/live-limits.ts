/**
 * The limits of the house that the edge keeps, as the switch says them now. Asked for twice a second, so that a new version holds here within 2 s of
 * its commit; while the switch is away the last ones stay in force.
 */
import type { BucketRate } from "@florin/runtime/rate-limit";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import type { Timing } from "@florin/runtime/timing";

/** Undefined rates: `knownVersion` still holds. Throws AppError while the switch is away. */
export type AskLimits = (knownVersion: number | undefined) => Promise<{
  readonly version: number;
  /** By merchant id, and "default". Empty: as the edge was started with. */
  readonly requestsPerKey: ReadonlyMap<string, BucketRate> | undefined;
}>;

export type LiveLimits = {
  readonly rateOf: (merchantId: string) => BucketRate;
  /** Safe to repeat. */
  stop(): Promise<void>;
};

const askEveryMs = 500;
/** So many in a row are a switch that starts again; the next is told. */
const faultsQuiet = 10;

export function followLimits(o: {
  readonly ask: AskLimits;
  /** For who is not named. */
  readonly otherwise: BucketRate;
  readonly metrics: Pick<Metrics, "gauge">;
  readonly logger: Logger;
  readonly timing: Pick<Timing, "sleep">;
}): LiveLimits {
  let version: number | undefined;
  let rates: ReadonlyMap<string, BucketRate> = new Map();
  let faults = 0;
  const stopping = new AbortController();
  o.metrics.gauge("edge_settings_version", () => version ?? 0);

  async function ask(): Promise<void> {
    const answer = await o.ask(version);
    faults = 0;
    // A replica of the switch may be behind another one that answered before.
    if (answer.requestsPerKey === undefined || answer.version < (version ?? 0)) return;
    rates = answer.requestsPerKey;
    version = answer.version;
    o.logger.info({ settings_version: version }, "limits applied");
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await ask().catch((err: unknown) => {
        faults += 1;
        if (faults === faultsQuiet + 1) o.logger.warn({ err }, "the limits of the house cannot be asked for; the last ones stay in force");
      });
      await o.timing.sleep(askEveryMs, stopping.signal);
    }
  }

  const running = run();
  return {
    rateOf: (merchantId) => rates.get(merchantId) ?? rates.get("default") ?? o.otherwise,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
