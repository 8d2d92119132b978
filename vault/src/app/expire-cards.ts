/**
 * Deletes what has expired, as `delete-token.ts` does on demand: unused single-use tokens, tokens that were to live for a time, and cards whose month and grace are over.
 * A bounded batch at a time; each card leaves a tombstone and an access record. Several vaults may do it at once: each card is deleted by one of them.
 */
import type { Metrics } from "@florin/runtime/telemetry";
import { type LifeRules, latestEndedMonth } from "../domain/token-life.ts";
import type { CardKey, CardStore } from "../store/cards.ts";
import type { ExpiredCardStore } from "../store/expired-cards.ts";
import type { AccessLog } from "./access-log.ts";
import type { CardDirectory } from "./card-directory.ts";
import type { SecurityCodes } from "./security-codes.ts";

const rowsMax = 500;
/** Per round: what is left waits for the next one. */
const batchesMax = 200;
/** Tokens stored late, or by a vault whose clock is behind. */
const lookBackMs = 600_000;

export interface CardExpiry {
  /** How many it deleted. Rejects with AppError when a part is away; the next round goes on where it was. */
  round(): Promise<number>;
}

export function createCardExpiry(o: {
  store: Pick<CardStore, "delete">;
  expired: Pick<ExpiredCardStore, "expired" | "ended">;
  directory: Pick<CardDirectory, "forget">;
  codes: Pick<SecurityCodes, "forget">;
  accessLog: Pick<AccessLog, "take" | "settled">;
  rules: Pick<LifeRules, "graceDays">;
  metrics: Pick<Metrics, "counter">;
  /** Milliseconds since 1970. */
  now: () => number;
}): CardExpiry {
  const counter = o.metrics.counter("vault_tokens_deleted_total", { reason: "expired" });
  /** Everything before it was looked at: what stands there still are used single-use tokens, and they are many. */
  let readThroughMs = 0;

  const remove = async (keys: readonly CardKey[]): Promise<number> => {
    const deleted = await o.store.delete(keys, { reason: "expired", who: "vault", graceDays: o.rules.graceDays });
    for (const { merchantId, token } of deleted) {
      o.directory.forget(merchantId, token);
      o.codes.forget(token);
      const access = {
        merchantId,
        token,
        caller: "vault",
        actor: "",
        purpose: "expire",
        paymentId: undefined,
        outcome: "deleted",
      } as const;
      o.accessLog.take({ ...access, atMs: o.now() });
      counter.add();
    }
    await o.accessLog.settled();
    return deleted.length;
  };

  /** True when there is nothing left to delete. */
  const drain = async (next: () => Promise<readonly CardKey[]>): Promise<{ deleted: number; isDone: boolean }> => {
    let deleted = 0;
    for (let batch = 0; batch < batchesMax; batch++) {
      const keys = await next();
      if (keys.length > 0) deleted += await remove(keys);
      if (keys.length < rowsMax) return { deleted, isDone: true };
    }
    return { deleted, isDone: false };
  };

  return {
    async round() {
      const nowMs = o.now();
      const planned = await drain(() => o.expired.expired(readThroughMs, rowsMax));
      if (planned.isDone) readThroughMs = nowMs - lookBackMs;
      const month = latestEndedMonth(o.rules, nowMs);
      const ended = await drain(() => o.expired.ended(month, rowsMax));
      return planned.deleted + ended.deleted;
    },
  };
}
