/** Which keys there are, how much they were used, and what was done with them: for people. Owner role. */
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import { insertKeyEvent, type KeyAction, type KeyEvent, type KeyPurpose } from "./data-keys.ts";

export type InventoryKey = {
  readonly purpose: KeyPurpose;
  readonly epoch: number;
  readonly state: "seals" | "opens" | "retired" | "fingerprints";
  readonly kekId: string;
  readonly createdAt: Date;
  readonly retiredAt: Date | undefined;
  readonly sealsReserved: number;
};
export type InventoryEvent = {
  readonly happenedAt: Date;
  readonly actor: string;
  readonly witness: string | undefined;
  readonly action: KeyAction;
  readonly purpose: KeyPurpose | undefined;
  readonly epoch: number | undefined;
  readonly kekId: string | undefined;
  readonly cards: number | undefined;
};
/** A key pair for which browsers encrypt cards. */
export type InventoryEnvelopeKey = {
  readonly generation: number;
  readonly kid: string;
  readonly kekId: string;
  readonly createdAt: Date;
};
export type KeyInventory = {
  readonly keys: readonly InventoryKey[];
  /** Newest first. */
  readonly envelopeKeys: readonly InventoryEnvelopeKey[];
  readonly generation: number;
  readonly events: readonly InventoryEvent[];
};

export interface KeyInventoryStore {
  /** The latest `eventsMax` events, newest first. Throws AppError when the database is away. */
  read(eventsMax: number): Promise<KeyInventory>;
  record(event: KeyEvent): Promise<void>;
}

type KeyRow = {
  purpose: KeyPurpose;
  epoch: number;
  kek_id: string;
  created_at: Date;
  retired_at: Date | null;
  reserved: number;
  is_newest: boolean;
};
type EventRow = {
  happened_at: Date;
  actor: string;
  witness: string | null;
  action: KeyAction;
  purpose: KeyPurpose | null;
  epoch: number | null;
  kek_id: string | null;
  cards: number | null;
};

export function createKeyInventoryStore(sql: Sql): KeyInventoryStore {
  return {
    async read(eventsMax) {
      // Index: none, some hundred rows.
      const keys = await sql<KeyRow[]>`
        SELECT purpose, epoch, kek_id, created_at, retired_at, seals_reserved::float8 AS reserved,
          epoch = max(epoch) OVER (PARTITION BY purpose) AS is_newest
        FROM data_keys ORDER BY purpose, epoch`.catch(fail);
      // A handful of rows.
      const pairs = await sql<{ generation: number; kid: string; kek_id: string; created_at: Date }[]>`
        SELECT generation, kid, kek_id, created_at FROM envelope_keys ORDER BY generation DESC`.catch(fail);
      const envelopeKeys = pairs.map(({ generation, kid, kek_id: kekId, created_at: createdAt }) => ({
        generation,
        kid,
        kekId,
        createdAt,
      }));
      const [ring] = await sql<{ generation: number }[]>`SELECT generation::float8 AS generation FROM key_ring`.catch(fail);
      // Index: key_events_pkey (event_id), read backwards.
      const events = await sql<EventRow[]>`
        SELECT happened_at, actor, witness, action, purpose, epoch, kek_id, cards::float8 AS cards
        FROM key_events ORDER BY event_id DESC LIMIT ${eventsMax}`.catch(fail);
      return { keys: keys.map(toKey), envelopeKeys, generation: ring?.generation ?? 0, events: events.map(toEvent) };
    },
    record: (event) => insertKeyEvent(sql, event).catch(fail),
  };
}

function toKey(row: KeyRow): InventoryKey {
  const open = row.is_newest ? "seals" : "opens";
  return {
    purpose: row.purpose,
    epoch: row.epoch,
    state: row.purpose === "fingerprint" ? "fingerprints" : row.retired_at === null ? open : "retired",
    kekId: row.kek_id,
    createdAt: row.created_at,
    retiredAt: row.retired_at ?? undefined,
    sealsReserved: row.reserved,
  };
}

function toEvent(row: EventRow): InventoryEvent {
  return {
    happenedAt: row.happened_at,
    actor: row.actor,
    witness: row.witness ?? undefined,
    action: row.action,
    purpose: row.purpose ?? undefined,
    epoch: row.epoch ?? undefined,
    kekId: row.kek_id ?? undefined,
    cards: row.cards ?? undefined,
  };
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
