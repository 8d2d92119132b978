/**
 * Wrapped root keys, the seal over all of them, and the count of seals that were handed out. The process's role can add keys, sign the ring and
 * move the count; only the owner can rewrap, retire and destroy.
 */
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";

export type KeyPurpose = "card" | "fingerprint";

export type StoredDataKey = {
  readonly purpose: KeyPurpose;
  readonly epoch: number;
  readonly wrappedKey: Uint8Array;
  readonly keyCheck: Uint8Array;
  readonly kekId: string;
  /** UTC, to the microsecond: as it stands in the ring's seal. */
  readonly createdAt: string;
  /** Likewise; undefined while it may seal. */
  readonly retiredAt: string | undefined;
};
export type NewDataKey = Pick<StoredDataKey, "purpose" | "epoch" | "wrappedKey" | "keyCheck" | "kekId">;

export type RingSeal = {
  readonly generation: number;
  /** Card keys up to this epoch are under the seal. */
  readonly coveredEpoch: number;
  readonly seal: Uint8Array;
};
/** One moment of the database: all keys, by purpose and epoch, and their seal; no seal in a new database, and in one of a release before the seal. */
export type StoredRing = { readonly keys: readonly StoredDataKey[]; readonly seal: RingSeal | undefined };

export type KeyAction =
  | "created"
  | "rewrapped"
  | "retired"
  | "destroyed"
  | "resealed"
  | "restore_accepted"
  | "kek_created"
  | "kek_imported"
  | "kek_retired"
  | "kek_destroyed";
export type KeyEvent = {
  readonly action: KeyAction;
  /** "vault", or a person's name. */
  readonly actor: string;
  /** The second person, for what needs two. */
  readonly witness?: string | undefined;
  readonly purpose?: KeyPurpose;
  readonly epoch?: number;
  readonly kekId?: string;
  readonly cards?: number;
};

/** Seals that one process may make under one epoch. */
export type SealBlock = {
  readonly epoch: number;
  readonly seals: number;
  /** Time left in which they may be used, ms. */
  readonly lifeMs: number;
  /** Seals of the epoch that were handed out so far, these included. Only rises. */
  readonly sealsReserved: number;
};

/** Inside of one change of the ring; nobody else changes it meanwhile. */
export interface RingWriter {
  read(): Promise<StoredRing>;
  add(key: NewDataKey): Promise<void>;
  rewrap(key: Pick<StoredDataKey, "purpose" | "epoch" | "wrappedKey" | "kekId">): Promise<void>;
  /** Waits for cards that are being stored under it; after that none can be. */
  retire(epoch: number): Promise<void>;
  destroy(epoch: number): Promise<void>;
  sign(seal: RingSeal): Promise<void>;
  record(event: KeyEvent): Promise<void>;
}

export interface DataKeyStore {
  /** Throws AppError when the database is away. */
  read(): Promise<StoredRing>;
  /** One transaction, one at a time over all processes: all of `work`, or nothing when it throws. */
  change<T>(work: (writer: RingWriter) => Promise<T>): Promise<T>;
  /** Takes `seals` from the newest card key; undefined when it is older than `lifeMsMax`, or has fewer left. */
  reserveSeals(o: { seals: number; sealsPerEpochMax: number; lifeMsMax: number }): Promise<SealBlock | undefined>;
}

/** Any number that nothing else in this database locks. */
const ringLock = 2_147_032;

export function createDataKeyStore(sql: Sql): DataKeyStore {
  return {
    // Keys and seal of one moment.
    read: () =>
      sql.begin("isolation level repeatable read read only", (transaction) => readRing(transaction as unknown as Sql)).catch(fail),
    change: <T>(work: (writer: RingWriter) => Promise<T>) =>
      sql
        .begin(async (transaction) => {
          await transaction`SELECT pg_advisory_xact_lock(${ringLock}::bigint)`;
          return await work(createRingWriter(transaction as unknown as Sql));
        })
        .catch(fail) as Promise<T>,
    async reserveSeals({ seals, sealsPerEpochMax, lifeMsMax }) {
      // Index: data_keys_pkey (purpose, epoch). The row is locked by the update, so two processes never share a block.
      const [row] = await sql<{ epoch: number; life_ms: number; reserved: number }[]>`
        UPDATE data_keys SET seals_reserved = seals_reserved + ${seals}::int
        WHERE purpose = 'card' AND epoch = (SELECT max(epoch) FROM data_keys WHERE purpose = 'card')
          AND seals_reserved + ${seals}::int <= ${sealsPerEpochMax}::bigint
          AND created_at > now() - ${lifeMsMax}::float8 * interval '1 millisecond'
        RETURNING epoch, (${lifeMsMax}::float8 - extract(epoch FROM now() - created_at) * 1000)::float8 AS life_ms,
          seals_reserved::float8 AS reserved`.catch(fail);
      return row === undefined ? undefined : { epoch: row.epoch, seals, lifeMs: row.life_ms, sealsReserved: row.reserved };
    },
  };
}

function createRingWriter(sql: Sql): RingWriter {
  return {
    read: () => readRing(sql),
    async add(key) {
      await sql`
        INSERT INTO data_keys (purpose, epoch, wrapped_key, key_check, kek_id)
        VALUES (${key.purpose}, ${key.epoch}, ${key.wrappedKey}, ${key.keyCheck}, ${key.kekId})`;
    },
    async rewrap({ purpose, epoch, wrappedKey, kekId }) {
      // Index: data_keys_pkey (purpose, epoch).
      await sql`UPDATE data_keys SET wrapped_key = ${wrappedKey}, kek_id = ${kekId} WHERE purpose = ${purpose} AND epoch = ${epoch}`;
    },
    async retire(epoch) {
      // Index: data_keys_pkey (purpose, epoch). A plain update would not wait for the shares that stored cards hold.
      await sql`SELECT 1 FROM data_keys WHERE purpose = 'card' AND epoch = ${epoch} FOR UPDATE`;
      await sql`UPDATE data_keys SET retired_at = now() WHERE purpose = 'card' AND epoch = ${epoch} AND retired_at IS NULL`;
    },
    async destroy(epoch) {
      // Index: data_keys_pkey (purpose, epoch).
      await sql`DELETE FROM data_keys WHERE purpose = 'card' AND epoch = ${epoch}`;
    },
    async sign({ generation, coveredEpoch, seal }) {
      // Index: key_ring_pkey (only_one).
      await sql`
        INSERT INTO key_ring (generation, covered_epoch, seal) VALUES (${generation}, ${coveredEpoch}, ${seal})
        ON CONFLICT (only_one) DO UPDATE SET generation = excluded.generation, covered_epoch = excluded.covered_epoch, seal = excluded.seal`;
    },
    record: (event) => insertKeyEvent(sql, event),
  };
}

/** The columns that the process's role may fill, and the others only when there is something for them. */
export async function insertKeyEvent(sql: Sql, event: KeyEvent): Promise<void> {
  const { action, actor, witness, purpose, epoch, kekId, cards } = event;
  const row = { action, actor, purpose: purpose ?? null, epoch: epoch ?? null, kek_id: kekId ?? null };
  const more = { ...(witness === undefined ? {} : { witness }), ...(cards === undefined ? {} : { cards }) };
  await sql`INSERT INTO key_events ${sql({ ...row, ...more })}`;
}

type KeyRow = {
  purpose: KeyPurpose;
  epoch: number;
  wrapped_key: Uint8Array;
  key_check: Uint8Array;
  kek_id: string;
  created_at: string;
  retired_at: string | null;
};

async function readRing(sql: Sql): Promise<StoredRing> {
  // Index: data_keys_pkey (purpose, epoch). One row per epoch: some hundred after years.
  const rows = await sql<KeyRow[]>`
    SELECT purpose, epoch, wrapped_key, key_check, kek_id,
      to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
      to_char(retired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS retired_at
    FROM data_keys ORDER BY purpose, epoch`;
  // Index: none, there is one row.
  const [seal] = await sql<{ generation: number; covered_epoch: number; seal: Uint8Array }[]>`
    SELECT generation::float8 AS generation, covered_epoch, seal FROM key_ring`;
  return {
    keys: rows.map((row) => ({
      purpose: row.purpose,
      epoch: row.epoch,
      wrappedKey: row.wrapped_key,
      keyCheck: row.key_check,
      kekId: row.kek_id,
      createdAt: row.created_at,
      retiredAt: row.retired_at ?? undefined,
    })),
    seal: seal === undefined ? undefined : { generation: seal.generation, coveredEpoch: seal.covered_epoch, seal: seal.seal },
  };
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
