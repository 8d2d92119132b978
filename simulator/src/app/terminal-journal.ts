/** The host's journal: written before an approval is said, so that what a caller knows of is there; read for its totals. */
import { createBatcher } from "@florin/runtime/batch";
import type { Sql } from "@florin/runtime/postgres";
import { type JournalEntry, type JournalSum, type JournalWindow, sumJournal, writeJournal } from "../store/terminal-journal.ts";

export type TerminalJournal = {
  /** Committed when it resolves. Safe to repeat. */
  write(entry: JournalEntry): Promise<void>;
  sums(window: JournalWindow): Promise<readonly JournalSum[]>;
  /** Writes what is waiting. */
  close(): Promise<void>;
};

const batchMax = 512;
const queueDepthMax = 16_384;

export function createTerminalJournal(sql: Sql): TerminalJournal {
  const batcher = createBatcher<JournalEntry, true>({
    name: "terminal-journal",
    run: async (entries) => {
      await writeJournal(sql, entries);
      return entries.map(() => ({ ok: true, value: true }));
    },
    batchMax,
    queueDepthMax,
  });
  return {
    write: async (entry) => void (await batcher.submit(entry)),
    sums: (window) => sumJournal(sql, window),
    close: () => batcher.close(),
  };
}
