/**
 * Verifies a run: what merchants were told against the log, the acquirer's books and the ledger's.
 *
 * The ledger may lag by seconds and unknown outcomes take time to be resolved, so the books are read again until they agree or
 * `patienceMs` is over.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { UpFile } from "../stack/up-file.ts";
import type { Answers } from "./answers.ts";
import { type RunWindow, readBooks } from "./books.ts";
import { type Check, compareRun } from "./compare.ts";

const patienceMs = 60_000;
const pauseMs = 1_000;

export type Verdict = { readonly checks: readonly Check[]; readonly isRight: boolean };

export async function verifyRun(up: UpFile, window: RunWindow, answers: Answers): Promise<Verdict> {
  const endsAtMs = performance.now() + patienceMs;
  for (;;) {
    const checks = compareRun(answers, await readBooks(up, window));
    const isRight = checks.every(({ differences }) => differences === 0);
    if (isRight || performance.now() > endsAtMs) return { checks, isRight };
    await sleep(pauseMs);
  }
}

export function printVerdict(answers: Answers, { checks, isRight }: Verdict): void {
  const counts = (some: Readonly<Record<string, number>>) =>
    Object.entries(some)
      .map(([operation, count]) => `${count} ${operation}`)
      .join(", ") || "none";
  console.log(`\naccepted: ${counts(answers.accepted)}; refused: ${counts(answers.refused)}; unsure: ${counts(answers.unsure)}`);
  console.table(checks.map(({ name, compared, differences }) => ({ check: name, compared, differences })));
  for (const { name, examples } of checks) for (const example of examples) console.log(`${name}: ${example}`);
  console.log(isRight ? "verified: the merchants, the log, the acquirer and the ledger agree" : "NOT VERIFIED");
}
