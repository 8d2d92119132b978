/** Asks the vault what a token is. Descriptions do not change, so they are kept, in a bounded number and for a bounded time. */
import type { VaultService } from "@florin/gen/vault/v1/vault";
import { AppError, type ErrorCode, toAppError } from "@florin/kernel";
import type { Client } from "@florin/runtime/rpc";
import type { CardSummary, Mode } from "../domain/payment/index.ts";

export type TokenDescription = {
  readonly card: CardSummary /** Keyed fingerprint of the card within its merchant. */;
  readonly fingerprint: string;
};

export interface TokenDirectory {
  /** Undefined: this merchant has no such token in this mode. Throws AppError when the vault cannot be asked (nothing was done). */
  describe(token: {
    readonly merchantId: string;
    readonly mode: Mode;
    readonly token: string;
    readonly traceparent: string;
  }): Promise<TokenDescription | undefined>;
}

const describedMax = 50_000;
/** A deleted token may be described for so long; the vault refuses to open it all the same. */
const describedForMs = 60_000;
const timeoutMs = 2_000;

type Entry = { readonly description: TokenDescription; readonly untilMs: number };

export function createTokenDirectory(o: { readonly vault: Client<typeof VaultService>; readonly now: () => number }): TokenDirectory {
  const entries = new Map<string, Entry>();
  return {
    async describe({ merchantId, mode, token, traceparent }) {
      const key = `${mode}/${merchantId}/${token}`;
      const known = entries.get(key);
      if (known !== undefined && known.untilMs > o.now()) return known.description;
      const question = { merchantId, token, live: mode === "live" };
      const answer = await o.vault.describeToken(question, { timeoutMs, traceparent }).catch(asNothingDone);
      if (!answer.found) return undefined;
      const { brand, bin, last4, expMonth, expYear, funding, fingerprint } = answer;
      const description = { card: { brand, bin, last4, expMonth, expYear, funding }, fingerprint };
      remember(entries, key, { description, untilMs: o.now() + describedForMs });
      return description;
    },
  };
}

/** Faults of the way to the vault. What the vault itself says (a bug, a wrong certificate) is told as it is. */
const isOfTheWay: Partial<Record<ErrorCode, true>> = { unavailable: true, overloaded: true, deadline_exceeded: true, peer_lost: true };

/** A question has no outcome that could be unknown: whoever asks again with the same key asks from the beginning. */
function asNothingDone(thrown: unknown): never {
  const fault = toAppError(thrown);
  if (isOfTheWay[fault.code] === undefined) throw fault;
  throw new AppError("unavailable", "the vault cannot say what the token is; nothing was done", { work: "not_done", cause: fault });
}

/** The oldest entry makes room: maps keep the order of insertion. */
function remember(entries: Map<string, Entry>, key: string, entry: Entry): void {
  entries.delete(key);
  if (entries.size >= describedMax) {
    const oldest = entries.keys().next();
    if (!oldest.done) entries.delete(oldest.value);
  }
  entries.set(key, entry);
}
