/** Wrapped key pairs for envelopes, and which envelopes were taken. Both are short-lived; the process's role adds, reads and deletes. */
import { arrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";

export type StoredEnvelopeKey = {
  readonly generation: number;
  readonly kid: string;
  readonly wrappedKey: Uint8Array;
  readonly kekId: string;
  /** By the database's clock, ms. */
  readonly ageMs: number;
};

export type EnvelopeMark = { readonly iat: number; readonly jtiHex: string };

export interface EnvelopeStore {
  /** Newest first. */
  listKeys(): Promise<readonly StoredEnvelopeKey[]>;
  /** False when another process made this generation already. */
  addKey(key: Omit<StoredEnvelopeKey, "ageMs">): Promise<boolean>;
  /** The same pair under another key-encryption key. Owner role. False: it is gone, or another one wraps it by now. */
  rewrapKey(key: Omit<StoredEnvelopeKey, "ageMs">, from: { readonly kekId: string }): Promise<boolean>;
  /** Destroys key pairs that are older. */
  deleteKeys(ageMsMin: number): Promise<void>;
  /** One answer per mark, in its order: true for the first who uses it, ever. Committed when it resolves. */
  use(marks: readonly EnvelopeMark[]): Promise<readonly boolean[]>;
  /** Forgets envelopes issued before (s since 1970); answers how many. */
  forget(issuedBeforeS: number): Promise<number>;
}

export function createEnvelopeStore(sql: Sql): EnvelopeStore {
  return {
    async listKeys() {
      // A handful of rows.
      const rows = await sql<{ generation: number; kid: string; wrapped_key: Uint8Array; kek_id: string; age_ms: number }[]>`
        SELECT generation, kid, wrapped_key, kek_id, (extract(epoch FROM now() - created_at) * 1000)::float8 AS age_ms
        FROM envelope_keys ORDER BY generation DESC`.catch(fail);
      return rows.map((row) => ({
        generation: row.generation,
        kid: row.kid,
        wrappedKey: row.wrapped_key,
        kekId: row.kek_id,
        ageMs: row.age_ms,
      }));
    },
    async addKey({ generation, kid, wrappedKey, kekId }) {
      const { count } = await sql`
        INSERT INTO envelope_keys (generation, kid, wrapped_key, kek_id) VALUES (${generation}, ${kid}, ${wrappedKey}, ${kekId})
        ON CONFLICT DO NOTHING`.catch(fail);
      return count === 1;
    },
    async rewrapKey({ kid, wrappedKey, kekId }, from) {
      // A handful of rows.
      const { count } = await sql`
        UPDATE envelope_keys SET wrapped_key = ${wrappedKey}, kek_id = ${kekId} WHERE kid = ${kid} AND kek_id = ${from.kekId}`.catch(fail);
      return count === 1;
    },
    async deleteKeys(ageMsMin) {
      await sql`DELETE FROM envelope_keys WHERE created_at < now() - ${ageMsMin}::float8 * interval '1 millisecond'`.catch(fail);
    },
    async use(marks) {
      // In one order everywhere, so that two processes with the same envelopes wait for each other and do not deadlock.
      const sorted = marks.map((mark, place) => ({ ...mark, place })).sort((a, b) => a.iat - b.iat || (a.jtiHex < b.jtiHex ? -1 : 1));
      // Index: used_envelopes_pkey (issued_at, jti) grants the use; of a mark that stands in a batch twice the first is inserted.
      const rows = await sql<{ issued_at: bigint; jti: string }[]>`
        INSERT INTO used_envelopes (issued_at, jti)
        SELECT * FROM unnest(${arrayLiteral(sorted.map(({ iat }) => iat))}::bigint[], ${arrayLiteral(sorted.map(({ jtiHex }) => jtiHex))}::uuid[])
        ON CONFLICT DO NOTHING RETURNING issued_at, jti::text AS jti`.catch(fail);
      const granted = new Set(rows.map((row) => `${row.issued_at}:${row.jti.replaceAll("-", "")}`));
      return marks.map(({ iat, jtiHex }) => granted.delete(`${iat}:${jtiHex}`));
    },
    async forget(issuedBeforeS) {
      // Index: used_envelopes_pkey (issued_at, …), a range.
      const { count } = await sql`DELETE FROM used_envelopes WHERE issued_at < ${issuedBeforeS}::bigint`.catch(fail);
      return count;
    },
  };
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
