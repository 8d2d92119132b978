/** Reads how far the books follow the log. It is moved by `post_batch` only. */
import { required } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import type { Progress } from "../domain/progress.ts";

/** The positions as committed; index is the partition. */
export async function readProgress(sql: Sql): Promise<Progress> {
  // One row: progress_pkey.
  const [row] = await sql<{ positions: string }[]>`SELECT positions::text AS positions FROM progress WHERE is_only`;
  return parsePositions(required(row, "the row of progress").positions);
}

/** Positions from PostgreSQL's text form of a bigint array, "{1,2,…}". */
export function parsePositions(text: string): Progress {
  return text.slice(1, -1).split(",").map(BigInt);
}
