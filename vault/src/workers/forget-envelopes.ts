/** Forgets used envelopes that are refused for their age by now, every minute: the table holds some twenty minutes of cards. */
import type { Logger } from "@florin/runtime/telemetry";
import { envelopeLifeS } from "../domain/envelope.ts";
import type { EnvelopeStore } from "../store/envelopes.ts";

const periodMs = 60_000;
/** Twice their life: the clocks of two vaults may differ. */
const keptS = 2 * envelopeLifeS;

/** `now`: milliseconds since 1970. Faults are logged; the next round makes up for them. */
export function forgetEnvelopes(o: { store: Pick<EnvelopeStore, "forget">; now: () => number; logger: Logger }): { stop(): void } {
  const timer = setInterval(() => {
    o.store.forget(Math.floor(o.now() / 1_000) - keptS).catch((err: unknown) => o.logger.error({ err }, "used envelopes not forgotten"));
  }, periodMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
