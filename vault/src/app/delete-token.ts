/** Deletes a card: its sealed row, its key share and what this process has of it in memory; leaves a tombstone and an access record. */
import { AppError, invalid } from "@florin/kernel";
import type { Metrics } from "@florin/runtime/telemetry";
import type { LifeRules } from "../domain/token-life.ts";
import type { AccessOutcome } from "../store/access-log.ts";
import type { CardStore } from "../store/cards.ts";
import type { AccessLog } from "./access-log.ts";
import { recordable } from "./card-desk.ts";
import type { CardDirectory } from "./card-directory.ts";
import type { SecurityCodes } from "./security-codes.ts";

export type DeleteRequest = {
  readonly merchantId: string;
  readonly token: string;
  readonly isLive: boolean;
  /** For whom: "key:…", "service:…". */
  readonly actor: string;
  /** Identity of the caller's certificate. */
  readonly caller: string;
};

export interface TokenRemover {
  /**
   * True: it is deleted, by this call or before; its record is committed. False: this merchant has no such token in this mode. Safe to repeat. Rejects with
   * AppError: parameter_invalid for a well-known test token, unavailable or overloaded when a part is away.
   */
  remove(request: DeleteRequest): Promise<boolean>;
}

export function createTokenRemover(o: {
  directory: CardDirectory;
  codes: Pick<SecurityCodes, "forget">;
  store: Pick<CardStore, "delete">;
  accessLog: AccessLog;
  rules: Pick<LifeRules, "graceDays">;
  metrics: Pick<Metrics, "counter">;
  /** Milliseconds since 1970. */
  now: () => number;
}): TokenRemover {
  const deleted = o.metrics.counter("vault_tokens_deleted_total", { reason: "deleted" });

  const record = async ({ merchantId, token, caller, actor }: DeleteRequest, outcome: AccessOutcome): Promise<void> => {
    const access = { merchantId, token: recordable(token), caller, actor, purpose: "delete", paymentId: undefined };
    o.accessLog.take({ ...access, atMs: o.now(), outcome });
    await o.accessLog.settled();
  };

  return {
    async remove(request) {
      const { merchantId, token, isLive, actor } = request;
      if (!o.accessLog.isHealthy()) throw new AppError("unavailable", "access records cannot be written", { work: "not_done" });
      const entry = await o.directory.find(merchantId, token);
      if (entry?.kind === "well_known" && !isLive)
        throw invalid("parameter_invalid", "a well-known test token belongs to everybody and cannot be deleted", "id");
      if (entry === undefined || entry.kind === "well_known" || (entry.mode === "live") !== isLive) {
        await record(request, "not_found");
        return false;
      }
      if (entry.kind === "gone") {
        await record(request, "gone");
        return true;
      }
      const done = await o.store.delete([{ merchantId, token }], { reason: "deleted", who: actor, graceDays: o.rules.graceDays });
      o.directory.forget(merchantId, token);
      o.codes.forget(token);
      if (done.length > 0) deleted.add();
      await record(request, done.length > 0 ? "deleted" : "gone");
      return true;
    },
  };
}
