/** Keeps the data keys of this process as the database has them: what custodians do with keys reaches every process within one period. */
import type { Logger } from "@florin/runtime/telemetry";
import type { DataKeys } from "../app/data-keys.ts";

/**
 * A ring that is not as it was left is an error line each time, and changes nothing here: what was proven at the start goes on opening, so that whoever can
 * write to the database cannot stop payments by it.
 */
export function keepKeysFresh(o: { dataKeys: Pick<DataKeys, "refresh">; periodMs: number; logger: Logger }): { stop(): void } {
  const timer = setInterval(() => {
    o.dataKeys.refresh().catch((err: unknown) => o.logger.error({ err }, "data keys not refreshed"));
  }, o.periodMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
