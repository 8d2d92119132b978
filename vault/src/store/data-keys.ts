/** Wrapped root keys and the count of seals that were handed out. The process's role can add keys and move the count, nothing else. */
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";

export type KeyPurpose = "card" | "fingerprint";

export type StoredDataKey = {
  readonly purpose: KeyPurpose;
  readonly epoch: number;
  readonly wrappedKey: Uint8Array;
  readonly keyCheck: Uint8Array;
  readonly kekId: string;
};

/** Seals that one process may make under one epoch. */
export type SealBlock = {
  readonly epoch: number;
  readonly seals: number;
  /** Time left in which they may be used, ms. */
  readonly lifeMs: number;
};

export interface DataKeyStore {
  /** All keys of a purpose, oldest first; with `epoch` only that one. Throws AppError when the database is away. */
  list(purpose: KeyPurpose, epoch?: number): Promise<readonly StoredDataKey[]>;
  /** False when there is such a key already: another process was faster. */
  add(key: StoredDataKey): Promise<boolean>;
  /** Takes `seals` from the newest card key; undefined when it is older than `lifeMsMax`, or has fewer left. */
  reserveSeals(o: { seals: number; sealsPerEpochMax: number; lifeMsMax: number }): Promise<SealBlock | undefined>;
}

type KeyRow = { purpose: KeyPurpose; epoch: number; wrapped_key: Uint8Array; key_check: Uint8Array; kek_id: string };

export function createDataKeyStore(sql: Sql): DataKeyStore {
  return {
    async list(purpose, epoch) {
      // Index: data_keys_pkey (purpose, epoch).
      const rows = await sql<KeyRow[]>`
        SELECT purpose, epoch, wrapped_key, key_check, kek_id FROM data_keys
        WHERE purpose = ${purpose} AND (${epoch ?? null}::int IS NULL OR epoch = ${epoch ?? null}::int) ORDER BY epoch`.catch(fail);
      return rows.map((row) => ({
        purpose: row.purpose,
        epoch: row.epoch,
        wrappedKey: row.wrapped_key,
        keyCheck: row.key_check,
        kekId: row.kek_id,
      }));
    },
    async add(key) {
      const { count } = await sql`
        INSERT INTO data_keys (purpose, epoch, wrapped_key, key_check, kek_id)
        VALUES (${key.purpose}, ${key.epoch}, ${key.wrappedKey}, ${key.keyCheck}, ${key.kekId})
        ON CONFLICT DO NOTHING`.catch(fail);
      return count === 1;
    },
    async reserveSeals({ seals, sealsPerEpochMax, lifeMsMax }) {
      // Index: data_keys_pkey (purpose, epoch). The row is locked by the update, so two processes never share a block.
      const [row] = await sql<{ epoch: number; life_ms: number }[]>`
        UPDATE data_keys SET seals_reserved = seals_reserved + ${seals}::int
        WHERE purpose = 'card' AND epoch = (SELECT max(epoch) FROM data_keys WHERE purpose = 'card')
          AND seals_reserved + ${seals}::int <= ${sealsPerEpochMax}::bigint
          AND created_at > now() - ${lifeMsMax}::float8 * interval '1 millisecond'
        RETURNING epoch, (${lifeMsMax}::float8 - extract(epoch FROM now() - created_at) * 1000)::float8 AS life_ms`.catch(fail);
      return row === undefined ? undefined : { epoch: row.epoch, seals, lifeMs: row.life_ms };
    },
  };
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
