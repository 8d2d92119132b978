/** The numbers under which live links are granted, and whom they went to. A term is given to one leader, once, and never falls. */
import type { Sql } from "@florin/runtime/postgres";
import { guarded } from "./guarded.ts";

export type LinkTerm = { readonly term: bigint /** Empty: nobody has had the links yet. */; readonly holder: string };

export interface LinkTerms {
  /** The next term, for a leader that begins; whom the one before granted to. */
  begin(connector: string): Promise<LinkTerm>;
  /** Whether nobody has taken a later one. */
  isLatest(connector: string, term: bigint): Promise<boolean>;
  /** The term after `term`, for `holder`; undefined when somebody else has taken it. */
  handOver(connector: string, o: { readonly term: bigint; readonly holder: string }): Promise<bigint | undefined>;
}

export function createLinkTerms(sql: Sql): LinkTerms {
  return {
    async begin(connector) {
      // index: link_terms_pkey
      const [row] = await guarded(sql<LinkTerm[]>`
        INSERT INTO link_terms AS latest (connector, term, holder) VALUES (${connector}, 1, '')
        ON CONFLICT (connector) DO UPDATE SET term = latest.term + 1
        RETURNING term, holder`);
      if (row === undefined) throw new Error("an upsert returns its row");
      return row;
    },
    async isLatest(connector, term) {
      // index: link_terms_pkey
      const rows = await guarded(sql`SELECT 1 FROM link_terms WHERE connector = ${connector} AND term = ${term.toString()}::bigint`);
      return rows.length > 0;
    },
    async handOver(connector, { term, holder }) {
      // index: link_terms_pkey
      const [row] = await guarded(sql<{ term: bigint }[]>`
        UPDATE link_terms SET term = term + 1, holder = ${holder}
        WHERE connector = ${connector} AND term = ${term.toString()}::bigint
        RETURNING term`);
      return row?.term;
    },
  };
}
