/** Rows of `access_log`: added, never read, changed or removed by this process. */
import { idToHex } from "@florin/kernel";
import { arrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";

/** `already_used`, `expired` and `gone` (deleted before): the card stayed closed. `deleted`: by this access. */
export type AccessOutcome = "opened" | "not_found" | "unreadable" | "already_used" | "expired" | "gone" | "deleted";

/** Who opened or deleted which card, why, for which payment, when, and whether it worked. */
export type Access = {
  readonly atMs: number;
  readonly merchantId: string;
  readonly token: string;
  readonly caller: string;
  readonly purpose: string;
  /** Undefined: for none. */
  readonly paymentId: string | undefined;
  /** For whom the caller asked: "key:…"; "" when it asked for itself. */
  readonly actor: string;
  readonly outcome: AccessOutcome;
};

export interface AccessStore {
  /**
   * Writes a batch whose numbers run on from `firstSeq`; committed when it resolves. Safe to repeat with the same batch: what is there is not written
   * again. A batch is whole or not at all.
   */
  append(writerId: string, firstSeq: number, accesses: readonly Access[]): Promise<void>;
  /** Makes room for the months to come; the number of partitions that it made. Safe to repeat. */
  makePartitions(monthsAhead: number): Promise<number>;
}

export function createAccessStore(sql: Sql): AccessStore {
  return {
    async append(writerId, firstSeq, accesses) {
      const column = (read: (access: Access) => string | number | null) => arrayLiteral(accesses.map(read));
      const merchantHex = remembering(idToHex);
      // Caller, purpose, actor and outcome are few: each record names its combination by its place in a short list.
      const manners = new Map<string, { readonly place: number; readonly access: Access }>();
      const mannerOf = (access: Access): number => {
        const name = `${access.caller} ${access.purpose} ${access.outcome} ${access.actor}`;
        const known = manners.get(name);
        if (known !== undefined) return known.place;
        manners.set(name, { place: manners.size + 1, access });
        return manners.size;
      };
      const placeColumn = column(mannerOf);
      const mannerColumn = (read: (access: Access) => string) => arrayLiteral([...manners.values()].map(({ access }) => read(access)));
      // Index: access_batches_pkey (writer_id, first_seq) decides whether this batch was written before.
      await sql`
        WITH batch AS (
          INSERT INTO access_batches (writer_id, first_seq, records) VALUES (${writerId}::uuid, ${firstSeq}::bigint, ${accesses.length}::int)
          ON CONFLICT DO NOTHING RETURNING writer_id, first_seq
        )
        INSERT INTO access_log (writer_id, seq, accessed_at, merchant_id, payment_id, token, caller, purpose, outcome, actor)
        SELECT batch.writer_id, batch.first_seq + a.place - 1, timestamptz 'epoch' + a.at_ms * interval '1 millisecond',
          a.merchant_id, a.payment_id, a.token,
          (${mannerColumn((access) => access.caller)}::text[])[a.manner], (${mannerColumn((access) => access.purpose)}::text[])[a.manner],
          (${mannerColumn((access) => access.outcome)}::text[])[a.manner], (${mannerColumn((access) => access.actor)}::text[])[a.manner]
        FROM batch, unnest(
          ${column((access) => access.atMs)}::bigint[], ${column((access) => merchantHex(access.merchantId))}::uuid[],
          ${column((access) => (access.paymentId === undefined ? null : idToHex(access.paymentId)))}::uuid[], ${column((access) => access.token)}::text[], ${placeColumn}::int[])
          WITH ORDINALITY AS a (at_ms, merchant_id, payment_id, token, manner, place)`.catch(fail);
    },
    async makePartitions(monthsAhead) {
      const [row] = await sql<{ made: number }[]>`SELECT make_access_log_partitions(${monthsAhead}::int) AS made`.catch(fail);
      return row?.made ?? 0;
    },
  };
}

/** Within one batch merchants repeat. */
function remembering(translate: (text: string) => string): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const made = translate(text);
    known.set(text, made);
    return made;
  };
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
