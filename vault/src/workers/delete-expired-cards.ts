/** Deletes expired cards, every minute. A round that takes longer than that lets the next one out. */
import type { Logger } from "@florin/runtime/telemetry";
import type { CardExpiry } from "../app/expire-cards.ts";

/** Resolves `stop` when the round under way is over. Faults are logged; the next round makes up for them. */
export function deleteExpiredCards(o: { expiry: CardExpiry; periodMs: number; logger: Logger }): { stop(): Promise<void> } {
  let running: Promise<void> | undefined;
  const round = async (): Promise<void> => {
    try {
      const deleted = await o.expiry.round();
      if (deleted > 0) o.logger.info({ deleted }, "expired cards deleted");
    } catch (err) {
      o.logger.error({ err }, "expired cards not deleted");
    }
  };
  const timer = setInterval(() => {
    running ??= round().finally(() => {
      running = undefined;
    });
  }, o.periodMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
