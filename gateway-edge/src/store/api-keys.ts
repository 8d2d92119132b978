/** Reads `api_keys`. The process may do nothing else with the edge's database. */
import { idFromHex } from "@florin/kernel";
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { KeyMode } from "../domain/api-key.ts";

export type StoredKey = {
  readonly merchantId: string;
  readonly mode: KeyMode;
  /** HMAC-SHA256 of the whole key under the pepper. */
  readonly keyHash: Uint8Array;
};

export interface ApiKeyStore {
  /** The key of this public part; undefined when there is none or it is revoked. Throws AppError when the database is away. */
  find(keyId: string): Promise<StoredKey | undefined>;
}

type Row = { merchant_id: string; mode: KeyMode; key_hash: Uint8Array };

export function createApiKeyStore(sql: Sql): ApiKeyStore {
  return {
    async find(keyId) {
      try {
        // Index: api_keys_pkey (key_id).
        const [row] = await sql<Row[]>`
          SELECT merchant_id::text AS merchant_id, mode, key_hash FROM api_keys WHERE key_id = ${keyId} AND revoked_at IS NULL`;
        if (row === undefined) return undefined;
        return { merchantId: idFromHex("merchant", row.merchant_id), mode: row.mode, keyHash: row.key_hash };
      } catch (thrown) {
        throw toDatabaseFault(thrown);
      }
    },
  };
}
