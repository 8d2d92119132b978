/**
 * The networks' rules on trying a card again, for one call: what the card's past allows, with the tries counted in that are under way.
 *
 * Many payments of one card at once would all see the last free try. So each counts itself first, in the round trip of its claim, and looks at
 * the past then; a try that has ended is a decline in the past, or nothing. While Redis is away only the past counts.
 *
 * Well-known test tokens stand for no card: a developer may be declined as often as he likes. In test mode there are only a handful of cards, so
 * tries under way are not counted there: a load of payments is no attack. Declines are.
 */
import { AppError } from "@florin/kernel";
import type { TokenDescription } from "../../clients/token-directory.ts";
import type { Mode, Outcome, Payment } from "../../domain/payment/index.ts";
import { type CardHistory, type CardKey, classOf, type GuardVerdict, guardRetry } from "../../domain/routing/index.ts";
import type { Counter } from "../../store/claims.ts";
import type { Parts } from "../parts.ts";

export interface NetworkGuard {
  /** To be counted with the claim, after all others. */
  readonly counters: readonly Counter[];
  /** They have been. `counts`: of all counters of the claim. */
  counted(counts: readonly number[]): void;
  /** Whether this call may be sent. Rejects when the past cannot be read. */
  judge(): Promise<GuardVerdict>;
  /** Counts an issuer's no. Has to be settled before the outcome is recorded, or a later call overlooks it. */
  note(outcome: Outcome, attemptId: string): Promise<void>;
  /** The card's past as it is now, with what others have under way. */
  past(): Promise<CardHistory>;
  /** The call is over. */
  end(): void;
}

/** Longer than a call may be under way: what a process that died had counted is forgotten so long after it was. */
const underWayMsMax = 60_000;

type Try = { readonly merchantId: string; readonly mode: Mode; readonly described: TokenDescription; readonly attemptId: string };

export function startNetworkGuard(parts: Parts, { merchantId, mode, described, attemptId: tryId }: Try): NetworkGuard {
  if (described.createdAtMs === 0) return unguarded;
  const card: CardKey = { merchantId, cardFingerprint: described.fingerprint };
  const counter: Counter = { name: `u:${merchantId}:${described.fingerprint}`, windowMs: underWayMsMax, counted: tryId };
  const counters = mode === "live" ? [counter] : [];
  /** Tries under way, this one included, when it was counted; undefined: it was not. */
  let underWayAtClaim: number | undefined;
  const pastBeside = async (underWay: number | undefined): Promise<CardHistory> => {
    const others = Math.max(0, (underWay ?? 1) - 1);
    const { declinedInDay, declinedIn30Days, hasCategoryOne } = await parts.declines.read(card, parts.now());
    return { declinedInDay: declinedInDay + others, declinedIn30Days: declinedIn30Days + others, hasCategoryOne };
  };
  return {
    counters,
    counted(counts) {
      if (counters.length > 0) underWayAtClaim = counts.at(-1);
    },
    async judge() {
      const verdict = guardRetry(await pastBeside(underWayAtClaim));
      if (verdict.kind === "refused") parts.metrics.count("switch_network_guard_total", { reason: verdict.reason });
      return verdict;
    },
    async note(outcome, attemptId) {
      if (outcome.kind !== "declined") return;
      const decline = { attemptId, atMs: parts.now(), isCategoryOne: classOf(outcome) === "network_stop" };
      await insist(parts, () => parts.declines.count(card, decline));
    },
    past: async () => pastBeside(underWayAtClaim !== undefined ? await parts.claims.countOf(counter.name) : undefined),
    end() {
      if (underWayAtClaim !== undefined) parts.claims.uncount(counter);
    },
  };
}

/** By time and not by tries: a database that hangs lets each of them wait for its own time-out. */
const insistForMs = 8_000;
const faultDelayMsMin = 50;
const faultDelayMsMax = 500;

/**
 * A database that is away is tried again, as the outcome itself is afterwards: nobody counts a decline later whose outcome is
 * recorded. Repeating is safe, a row is one attempt's. Throws the last AppError.
 */
async function insist(parts: Parts, count: () => Promise<void>): Promise<void> {
  const startedMs = parts.timing.monotonicMs();
  for (let faults = 1; ; faults++) {
    try {
      return await count();
    } catch (thrown) {
      if (!(thrown instanceof AppError) || parts.timing.monotonicMs() - startedMs >= insistForMs) throw thrown;
      await parts.timing.sleep(Math.min(faultDelayMsMin * faults, faultDelayMsMax));
    }
  }
}

/**
 * The same for a decline that was found out later. A token that opens no card any more cannot be asked for its card; and where vault or database are
 * away the outcome is worth more than its count.
 */
export async function noteFound(parts: Parts, { merchantId, mode, token }: Payment, attemptId: string, outcome: Outcome): Promise<void> {
  if (outcome.kind !== "declined") return;
  try {
    const described = await parts.vault.describe({ merchantId, mode, token, traceparent: "" });
    if (described?.kind === "usable") await startNetworkGuard(parts, { merchantId, mode, described, attemptId }).note(outcome, attemptId);
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    parts.metrics.count("switch_declines_uncounted_total");
  }
}

const noPast: CardHistory = { declinedInDay: 0, declinedIn30Days: 0, hasCategoryOne: false };
const unguarded: NetworkGuard = {
  counters: [],
  counted: () => {},
  judge: async () => ({ kind: "allowed" }),
  note: async () => {},
  past: async () => noPast,
  end: () => {},
};
