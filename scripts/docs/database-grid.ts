/**
 * What the process behind each database may do there: the one list that docs/database-roles.md shows and that
 * scripts/test/database-roles.test.ts tries, verb by verb, on a real server. What is not here is refused.
 *
 * The rights themselves are granted by the migrations of each service; a new table fails the test until it stands here too.
 */
import type { DatabaseName } from "../up/database-names.ts";

/** "all" columns, those that are named, or none. */
export type Columns = "all" | readonly string[];

export type TableRights = {
  readonly select?: Columns;
  readonly insert?: Columns;
  readonly update?: Columns;
  readonly delete?: true;
  /** Why it may do so much, or so little. */
  readonly why: string;
};

export type DatabaseRights = {
  /** The process that has the application role's password; nobody else has. */
  readonly process: string;
  readonly tables: Readonly<Record<string, TableRights>>;
  /** Sequences that are not a column's own. */
  readonly sequences: Readonly<Record<string, readonly ("select" | "usage")[]>>;
  /** Functions that it may call; of trigger functions, that they exist. */
  readonly functions: Readonly<Record<string, string>>;
};

const addAndRead = { select: "all", insert: "all" } as const;

export const databaseGrid: Readonly<Record<DatabaseName, DatabaseRights>> = {
  florin_switch: {
    process: "switch",
    tables: {
      payment_events: { ...addAndRead, why: "the payment log: a record of money is never changed" },
      idempotency_keys: { ...addAndRead, why: "the right to call a processor is given once" },
      unique_references: { ...addAndRead, why: "likewise, for a merchant's order" },
      degraded_payments: { ...addAndRead, why: "what was decided without Redis" },
      fraud_blocks: { select: "all", why: "kept by operators" },
      worker_checkpoints: { select: "all", insert: "all", update: "all", why: "how far background work has come" },
      settings_versions: {
        select: "all",
        insert: ["version", "document", "made_by", "note", "rolled_back_to"],
        why: "what the house decided: adds, and cannot say when",
      },
      settings_replicas: { select: "all", insert: "all", update: "all", delete: true, why: "who works by which version, no record" },
      link_terms: {
        ...addAndRead,
        update: ["term", "holder"],
        why: "who may hold live links to processors, under a number that only rises (a trigger sees to it)",
      },
      expiry_postponed: { select: "all", insert: "all", update: "all", delete: true, why: "a to-do list, no record" },
      card_declines: { ...addAndRead, delete: true, why: "what the card networks count; forgotten after a month" },
    },
    sequences: { payment_events_position: ["select", "usage"] },
    functions: {
      ensure_log_partitions: "makes months ahead, as the owner",
      payment_id_at: "arithmetic",
      florin_abort_batch: "raises an error",
      refuse_lower_link_term: "a trigger's: refuses when called",
    },
  },
  florin_edge: {
    process: "edge",
    tables: { api_keys: { select: "all", why: "merchants and keys are made by operators" } },
    sequences: {},
    functions: {},
  },
  florin_vault: {
    process: "vault",
    tables: {
      publishable_keys: { select: "all", why: "made by operators" },
      cards: { ...addAndRead, why: "a sealed card is never changed by the process; custodians seal anew and remove" },
      data_keys: { ...addAndRead, update: ["seals_reserved"], why: "of a key only the count of seals moves, and it never falls" },
      key_ring: { ...addAndRead, update: ["generation", "covered_epoch", "seal"], why: "the seal over all keys follows them" },
      key_events: {
        insert: ["actor", "action", "purpose", "epoch", "kek_id"],
        why: "what was done with keys: adds, without the time and the witness",
      },
      access_log: { insert: "all", why: "who opened what: adds, and cannot even read" },
      access_batches: { ...addAndRead, why: "tells a repeated batch from a new one" },
      envelope_keys: { ...addAndRead, delete: true, why: "short-lived on purpose" },
      card_key_shares: { ...addAndRead, why: "a share goes with its card, by a function" },
      token_claims: { select: "all", why: "a token for one payment is claimed once, by a function" },
      deleted_cards: { select: "all", why: "what is deleted says so, and stays deleted" },
      used_envelopes: { ...addAndRead, delete: true, why: "forgotten when too old to be taken" },
    },
    sequences: {},
    functions: {
      make_access_log_partitions: "makes months ahead, as the owner",
      claim_tokens: "gives a token for one payment to the first, as the owner",
      delete_cards: "deletes a card with its share and says who, as the owner",
      refuse_fewer_seals: "a trigger's: refuses when called",
    },
  },
  florin_ledger: {
    process: "ledger",
    tables: {
      accounts: { ...addAndRead, why: "accounts are opened, never closed" },
      transfers: { ...addAndRead, why: "entries are never changed" },
      balances: { select: "all", insert: "all", update: "all", why: "sums over the entries; they can be made again" },
      progress: { select: "all", update: "all", why: "one row: how far the log is posted" },
    },
    sequences: {},
    functions: { post_batch: "posts a batch, with the rights of its caller" },
  },
  florin_simulator: {
    process: "simulator",
    tables: {
      operations: { select: "all", insert: "all", update: "all", why: "an outside world's books, for the sandbox" },
      terminal_journal: { ...addAndRead, why: "what its ISO 8583 host approved, for totals" },
    },
    sequences: {},
    functions: {
      settle_refunds: "as its caller",
      book_movement: "as its caller",
      book_reversal: "as its caller",
    },
  },
};
