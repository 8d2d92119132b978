/** The block list in memory, read again every few seconds. A database that is away leaves the list as it was. */
import { idFromHex } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import type { Logger } from "@florin/runtime/telemetry";
import { type BlockKind, type BlockList, makeBlockList } from "../domain/fraud/index.ts";

const refreshMs = 5_000;
const blocksMax = 1_000_000;

export type LiveBlockList = { current(): BlockList /** Reads at once. */; refresh(): Promise<void>; stop(): void };

export function startBlockList(o: { readonly sql: Sql; readonly logger: Logger }): LiveBlockList {
  let list = makeBlockList([]);
  const refresh = async (): Promise<void> => {
    try {
      // the whole table, by design: it is held in memory
      const rows = await o.sql<
        { kind: BlockKind; value: string; merchant_id: string | null }[]
      >`SELECT kind, value, merchant_id FROM fraud_blocks LIMIT ${blocksMax}`;
      list = makeBlockList(
        rows.map(({ kind, value, merchant_id }) => ({
          kind,
          value,
          merchantId: merchant_id === null ? "" : idFromHex("merchant", merchant_id),
        })),
      );
    } catch (err) {
      o.logger.warn({ err }, "the block list could not be read; the last one stays in force");
    }
  };
  void refresh();
  const timer = setInterval(() => void refresh(), refreshMs).unref();
  return { current: () => list, refresh, stop: () => clearInterval(timer) };
}
