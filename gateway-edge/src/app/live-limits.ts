/**
 * The limits of the house that the edge keeps, as the switch says them now. Asked for twice a second, so that a new version holds here within 2 s of
 * its commit; while the switch is away the last ones stay in force.
 *
 * A lower version is a replica of the switch that is behind, and changes nothing; when lower ones last, the switch's database was set back, and
 * what it says now holds. Numbers are then given a second time: now and then the edge asks as if it knew none, so that it does not take other
 * limits for those that it has because they have the same number.
 */
import { isDeepStrictEqual } from "node:util";
import type { BucketRate } from "@florin/runtime/rate-limit";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import type { Timing } from "@florin/runtime/timing";
import type { CallLimits } from "./call-limits.ts";

/** By merchant id, and "default"; what is not named is as the edge was started with. */
export type NamedLimits = { readonly requestsPerKey: ReadonlyMap<string, BucketRate>; readonly calls: CallLimits };

/** Undefined limits: those of `knownVersion` still hold. Throws AppError while the switch is away. */
export type AskLimits = (knownVersion: number | undefined) => Promise<{
  readonly version: number;
  readonly limits: NamedLimits | undefined;
}>;

export type LiveLimits = {
  readonly rateOf: (merchantId: string) => BucketRate;
  readonly calls: () => CallLimits;
  /** Safe to repeat. */
  stop(): Promise<void>;
};

const askEveryMs = 500;
/** In a row, so 10 s: a replica that is behind has caught up by then, or is cut off from its database. */
const lowerMax = 20;
/** One question in so many is asked as if no version were known. */
const wholeEvery = 20;
/** So many in a row are a switch that starts again; the next is told. */
const faultsQuiet = 10;

export function followLimits(o: {
  readonly ask: AskLimits;
  /** For keys of merchants who are not named. */
  readonly otherwise: BucketRate;
  readonly metrics: Pick<Metrics, "gauge">;
  readonly logger: Logger;
  readonly timing: Pick<Timing, "sleep">;
}): LiveLimits {
  let version: number | undefined;
  let limits: NamedLimits = { requestsPerKey: new Map(), calls: {} };
  let faults = 0;
  let questions = 0;
  let lower = 0;
  const stopping = new AbortController();
  o.metrics.gauge("edge_settings_version", () => version ?? 0);

  async function ask(): Promise<void> {
    const answer = await o.ask(questions++ % wholeEvery === 0 ? undefined : version);
    faults = 0;
    const known = version ?? 0;
    lower = answer.version < known ? lower + 1 : 0;
    if (answer.limits === undefined || (lower > 0 && lower < lowerMax)) return;
    const isSame = answer.version === version;
    if (isSame && isDeepStrictEqual(limits, answer.limits)) return;
    limits = answer.limits;
    version = answer.version;
    if (isSame || lower > 0)
      o.logger.warn({ settings_version: version, version_before: known }, "the settings were set back; limits applied");
    else o.logger.info({ settings_version: version }, "limits applied");
    lower = 0;
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
    rateOf: (merchantId) => limits.requestsPerKey.get(merchantId) ?? limits.requestsPerKey.get("default") ?? o.otherwise,
    calls: () => limits.calls,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
