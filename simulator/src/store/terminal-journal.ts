/** What the ISO 8583 host approved, by terminal. A reference is written once. */
import { arrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";

export const journalKinds = ["authorization", "debit", "credit", "debit_reversal", "credit_reversal"] as const;
export type JournalKind = (typeof journalKinds)[number];

export type JournalEntry = {
  readonly reference: string;
  readonly terminal: string;
  readonly currency: string;
  readonly kind: JournalKind;
  readonly amount: bigint;
  /** DE 7. */
  readonly transmission: string;
};
export type JournalSum = { readonly kind: JournalKind; readonly count: number; readonly amount: bigint };
/** From `from` to before `until`, transmission times without a year. */
export type JournalWindow = { readonly terminal: string; readonly currency: string; readonly from: string; readonly until: string };

/** Transmission times come again every year. */
const reachDays = 30;

export async function writeJournal(sql: Sql, entries: readonly JournalEntry[]): Promise<void> {
  const column = (read: (entry: JournalEntry) => string) => arrayLiteral(entries.map(read));
  try {
    // Index: terminal_journal_pkey.
    await sql`
      INSERT INTO terminal_journal (reference, terminal, currency, kind, amount, transmission)
      SELECT * FROM unnest(${column(({ reference }) => reference)}::text[], ${column(({ terminal }) => terminal)}::text[],
        ${column(({ currency }) => currency)}::text[], ${column(({ kind }) => kind)}::text[],
        ${column(({ amount }) => amount.toString())}::bigint[], ${column(({ transmission }) => transmission)}::text[])
      ON CONFLICT (reference) DO NOTHING`;
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}

export async function sumJournal(sql: Sql, { terminal, currency, from, until }: JournalWindow): Promise<readonly JournalSum[]> {
  try {
    // Index: terminal_journal_by_time. A window over New Year ends before it begins.
    const rows = await sql<{ kind: JournalKind; count: bigint; amount: bigint }[]>`
      SELECT kind, count(*) AS count, sum(amount)::bigint AS amount FROM terminal_journal
      WHERE terminal = ${terminal} AND currency = ${currency} AND booked_at > now() - ${reachDays} * interval '1 day'
        AND CASE WHEN ${from}::text <= ${until}::text THEN transmission >= ${from} AND transmission < ${until}
          ELSE transmission >= ${from} OR transmission < ${until} END
      GROUP BY kind`;
    return rows.map(({ kind, count, amount }) => ({ kind, count: Number(count), amount }));
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}
