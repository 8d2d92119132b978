/** Reads `publishable_keys`. */
import { idFromHex } from "@florin/kernel";
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { PublishableKey } from "../domain/publishable-key.ts";
import type { Mode } from "../domain/token.ts";

export interface PublishableKeyStore {
  /** The key of this keyed hash; undefined when there is none or it is revoked. Throws AppError when the database is away. */
  find(keyHash: Uint8Array): Promise<PublishableKey | undefined>;
}

export function createPublishableKeyStore(sql: Sql): PublishableKeyStore {
  return {
    async find(keyHash) {
      try {
        // Index: publishable_keys_pkey (key_hash).
        const [row] = await sql<{ merchant_id: string; mode: Mode; origins: string[] }[]>`
          SELECT merchant_id::text AS merchant_id, mode, to_json(origins) AS origins FROM publishable_keys WHERE key_hash = ${keyHash} AND revoked_at IS NULL`;
        if (row === undefined) return undefined;
        const { mode, origins } = row;
        return { keyId: Buffer.from(keyHash).toString("hex"), merchantId: idFromHex("merchant", row.merchant_id), mode, origins };
      } catch (thrown) {
        throw toDatabaseFault(thrown);
      }
    },
  };
}
