/**
 * Asks a processor for its totals, window after window, and says whether they are ours. One question at a time, and only over links that are up.
 *
 * What stays without an answer is told again, as an advice, a bounded number of times. No money depends on it: a difference is for people.
 */
import type { Timing } from "@florin/runtime/timing";
import { wipeMessage } from "../codec/message.ts";
import type { ProcessorLinks } from "../link/processor-links.ts";
import { type Balance, compareTotals, type OwnTotals, type Sums, type TotalsBook } from "./totals.ts";
import { readTotals, totalsMessage } from "./totals-messages.ts";

export type TotalsResult = { readonly totals: OwnTotals } & (
  | { readonly kind: Balance; readonly theirs: Sums }
  /** Told as often as we do, and not answered. */
  | { readonly kind: "unanswered" }
);
export type OnTotals = (result: TotalsResult | { readonly kind: "given_up"; readonly windows: number }) => void;

export type TotalsRoundOptions = {
  readonly book: TotalsBook;
  readonly links: Pick<ProcessorLinks, "exchange" | "isUp">;
  readonly acquirerId: string;
  /** Between two looks for windows that are over. */
  readonly periodMs: number;
  readonly answerTimeoutMs: number;
  readonly timing: Pick<Timing, "after">;
  readonly wallMs: () => number;
  readonly onTotals: OnTotals;
};

const attemptsMax = 5;
const windowsWaitingMax = 10_000;

/** Ends with the function that it returns; safe to repeat. */
export function startTotals(o: TotalsRoundOptions): () => void {
  /** `beginning`: with which the process had the links when it counted this. */
  let waiting: { readonly totals: OwnTotals; readonly attempt: number; readonly beginning: number }[] = [];
  let isStopped = false;
  let stopTimer = o.timing.after(o.periodMs, () => void round());

  const round = async (): Promise<void> => {
    // What is taken out is asked about at once: a reversal that an outage held up is sent, and counts, before its window is taken.
    if (o.links.isUp()) takeDue();
    await askAll();
    if (!isStopped) stopTimer = o.timing.after(o.periodMs, () => void round());
  };

  const takeDue = (): void => {
    const { due, givenUp } = o.book.takeDue(o.wallMs());
    const beginning = o.book.beginnings;
    const room = windowsWaitingMax - waiting.length;
    waiting = [...waiting, ...due.slice(0, room).map((totals) => ({ totals, attempt: 0, beginning }))];
    const windows = givenUp + Math.max(0, due.length - room);
    if (windows > 0) o.onTotals({ kind: "given_up", windows });
  };

  /** What is not answered waits for the next round. */
  const askAll = async (): Promise<void> => {
    const asked = waiting;
    waiting = [];
    for (const one of asked) {
      // Others had the links in between: the processor's totals are of them too.
      if (one.beginning !== o.book.beginnings) continue;
      if (isStopped || !o.links.isUp()) {
        waiting.push(one);
        continue;
      }
      const answer = await ask(one.totals, one.attempt);
      if (answer === "not_sent") waiting.push(one);
      else if (answer !== "silence") o.onTotals({ kind: compareTotals(one.totals, answer), totals: one.totals, theirs: answer });
      else if (one.attempt + 1 < attemptsMax) waiting.push({ ...one, attempt: one.attempt + 1 });
      else o.onTotals({ kind: "unanswered", totals: one.totals });
    }
  };

  const ask = async (totals: OwnTotals, attempt: number): Promise<Sums | "silence" | "not_sent"> => {
    const request = totalsMessage(o.acquirerId, totals, attempt);
    const answer = await o.links.exchange(request, o.wallMs() + o.answerTimeoutMs);
    if (answer.kind === "not_sent") return "not_sent";
    if (answer.kind === "unknown") return "silence";
    try {
      return readTotals(request, answer.message) ?? "silence";
    } finally {
      wipeMessage(answer.message);
    }
  };

  return () => {
    isStopped = true;
    stopTimer();
  };
}
