/** How far background work has come. A lost checkpoint costs repeated reading, nothing else. */
import type { Sql } from "@florin/runtime/postgres";
import { guarded } from "./guarded.ts";

/** Recovery's checkpoints: its oldest open positions, by where it finds them. */
export const followUpCheckpoints = {
  unsettled: "follow_up_unsettled_position",
  accepted: "follow_up_accepted_position",
  abandoned: "follow_up_abandoned_position",
} as const;

export interface WorkerCheckpoints {
  /** 0 when there is none. */
  read(name: string): Promise<bigint>;
  write(name: string, value: bigint): Promise<void>;
}

export function createWorkerCheckpoints(sql: Sql): WorkerCheckpoints {
  return {
    async read(name) {
      // index: worker_checkpoints_pkey
      const [row] = await guarded(sql<{ value: bigint }[]>`SELECT value FROM worker_checkpoints WHERE name = ${name}`);
      return row?.value ?? 0n;
    },
    async write(name, value) {
      // index: worker_checkpoints_pkey
      await guarded(sql`
        INSERT INTO worker_checkpoints (name, value) VALUES (${name}, ${value.toString()}::bigint)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value`);
    },
  };
}
