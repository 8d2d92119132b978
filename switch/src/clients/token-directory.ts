/**
 * Asks the vault what a token is, and has it deleted. What a reusable token is does not change, so it is kept, in a bounded number and for a bounded time; whether
 * a single-use token is used is asked for each time.
 */
import { type DescribeTokenResponse, TokenState, type VaultService } from "@florin/gen/vault/v1/vault";
import { AppError, type ErrorCode, toAppError } from "@florin/kernel";
import type { CallBudget } from "@florin/runtime/resilience";
import type { Client } from "@florin/runtime/rpc";
import type { CardSummary, Mode } from "../domain/payment/index.ts";

export type TokenDescription = {
  readonly kind: "usable";
  readonly card: CardSummary;
  /** Keyed fingerprint of the card within its merchant. */
  readonly fingerprint: string;
  /** "single_use" or "reusable". */
  readonly usage: string;
  /** The payment that a single-use token belongs to; empty while there is none. */
  readonly usedBy: string;
  /** Unix milliseconds; 0 for well-known test tokens. */
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
};
/** A token that is no more. */
export type EndedToken = { readonly kind: "expired" | "deleted" };

type TokenQuestion = {
  readonly merchantId: string;
  readonly mode: Mode;
  readonly token: string;
  readonly traceparent: string;
  /** Of whoever waits for the answer. */
  readonly budget?: CallBudget | undefined;
};

export interface TokenDirectory {
  /** Undefined: this merchant has no such token in this mode. Throws AppError when the vault cannot be asked (nothing was done). */
  describe(token: TokenQuestion): Promise<TokenDescription | EndedToken | undefined>;
  /** As the vault has it now. */
  describeNow(token: TokenQuestion): Promise<TokenDescription | EndedToken | undefined>;
  /** False: there is none. Safe to repeat. Throws AppError; when the vault cannot be asked, the deletion may have happened. */
  delete(token: TokenQuestion & { readonly actor: string }): Promise<boolean>;
}

const describedMax = 50_000;
/** A deleted token may be described for so long; the vault refuses to open it all the same. */
const describedForMs = 60_000;
const timeoutMs = 2_000;

type Entry = { readonly description: TokenDescription; readonly untilMs: number };

export function createTokenDirectory(o: { readonly vault: Client<typeof VaultService>; readonly now: () => number }): TokenDirectory {
  const entries = new Map<string, Entry>();
  const describeNow: TokenDirectory["describeNow"] = async (question) => {
    const { merchantId, mode, token, traceparent, budget } = question;
    const answer = await o.vault
      .describeToken({ merchantId, token, live: mode === "live" }, { timeoutMs: timeWithin(budget), traceparent })
      .catch(asNothingDone);
    const description = toDescription(answer);
    const isKept = description?.kind === "usable" && description.usage !== "single_use";
    if (isKept) remember(entries, keyOf(question), { description, untilMs: Math.min(o.now() + describedForMs, description.expiresAtMs) });
    return description;
  };
  return {
    async describe(question) {
      const known = entries.get(keyOf(question));
      return known !== undefined && known.untilMs > o.now() ? known.description : describeNow(question);
    },
    describeNow,
    async delete({ merchantId, mode, token, traceparent, budget, actor }) {
      const options = { timeoutMs: timeWithin(budget), traceparent };
      const { found } = await o.vault.deleteToken({ merchantId, token, live: mode === "live", actor }, options);
      entries.delete(keyOf({ merchantId, mode, token }));
      return found;
    },
  };
}

/** 0 is answered deadline_exceeded, and the vault is not asked. */
function timeWithin(budget: CallBudget | undefined): number {
  return budget === undefined ? timeoutMs : budget.askMs(timeoutMs);
}

function keyOf({ merchantId, mode, token }: Pick<TokenQuestion, "merchantId" | "mode" | "token">): string {
  return `${mode}/${merchantId}/${token}`;
}

function toDescription(answer: DescribeTokenResponse): TokenDescription | EndedToken | undefined {
  if (answer.state === TokenState.EXPIRED) return { kind: "expired" };
  if (answer.state === TokenState.DELETED) return { kind: "deleted" };
  if (!answer.found) return undefined;
  const { brand, bin, last4, expMonth, expYear, funding, fingerprint, usage, usedByPaymentId: usedBy } = answer;
  const times = { createdAtMs: Number(answer.createdAtMs), expiresAtMs: Number(answer.expiresAtMs) };
  return { kind: "usable", card: { brand, bin, last4, expMonth, expYear, funding }, fingerprint, usage, usedBy, ...times };
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
