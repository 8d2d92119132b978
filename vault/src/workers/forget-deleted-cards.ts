/**
 * Drops from memory what other vaults have deleted: within a second, two when it just missed one.
 *
 * Each round forgets everything of the last minute and a half, which is longer than a statement may take, so that neither a deletion that was committed late nor a
 * card that was being read while it was deleted stays. When the database cannot be asked for five seconds everything is forgotten: what cannot be checked is not kept.
 */
import type { Logger } from "@florin/runtime/telemetry";
import type { CardDirectory } from "../app/card-directory.ts";
import type { SecurityCodes } from "../app/security-codes.ts";
import type { ExpiredCardStore } from "../store/expired-cards.ts";

const periodMs = 1_000;
const lookBackMs = 90_000;
const blindMsMax = 5_000;
/** More at once than this: everything is forgotten. */
const rowsMax = 10_000;

export function forgetDeletedCards(o: {
  store: Pick<ExpiredCardStore, "deleted">;
  directory: Pick<CardDirectory, "forget" | "forgetAll">;
  codes: Pick<SecurityCodes, "forget">;
  logger: Logger;
  /** Milliseconds, monotonic. */
  now: () => number;
}): { stop(): void } {
  let seenAtMs = o.now();
  let isAsking = false;
  const ask = async (): Promise<void> => {
    const askedAtMs = o.now();
    const deleted = await o.store.deleted(lookBackMs, rowsMax);
    seenAtMs = askedAtMs;
    if (deleted.length === rowsMax) o.directory.forgetAll();
    for (const { merchantId, token } of deleted) {
      o.directory.forget(merchantId, token);
      o.codes.forget(token);
    }
  };
  const timer = setInterval(() => {
    if (o.now() - seenAtMs > blindMsMax) o.directory.forgetAll();
    if (isAsking) return;
    isAsking = true;
    ask()
      .catch((err: unknown) => o.logger.error({ err }, "deleted cards not asked for"))
      .finally(() => {
        isAsking = false;
      });
  }, periodMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
