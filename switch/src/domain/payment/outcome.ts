/** What a connector reported about one operation, in the domain's words. Only "surely never left" is `not_sent`. */
import type { DeclineReason } from "@florin/kernel";

export type ProcessorWords = {
  readonly processorReference: string;
  readonly responseCode: string;
  readonly authCode: string;
  readonly avs: string;
  readonly cvv: string;
};

export type Outcome =
  /** `isFinal` is false while the processor has only accepted (refunds). */
  | { readonly kind: "approved"; readonly words: ProcessorWords; readonly isFinal: boolean }
  | { readonly kind: "declined"; readonly words: ProcessorWords; readonly reason: DeclineReason }
  | { readonly kind: "not_sent"; readonly cause: string }
  | { readonly kind: "unknown"; readonly cause: string };

/** Causes that are ours, the card's or the reference's, as connectors and frames name them. */
const causesOfOurs: ReadonlySet<string> = new Set([
  "token_not_found",
  "token_already_used",
  "token_expired",
  "token_deleted",
  "vault_unavailable",
  "overloaded",
  "closing",
  "cancelled",
  "unavailable",
  "peer_lost",
  "key_reused",
  "in_progress",
  "sender_late",
]);

/** Too much is under way to this processor already; to another one there may be room. */
export function isQueueFull({ kind, cause }: Extract<Outcome, { readonly cause: string }>): boolean {
  return kind === "not_sent" && cause === "queue_full";
}

/** Whether a `not_sent` or `unknown` says something of the processor. Before anything was sent an ended time is that of our own queue. */
export function isAboutProcessor({ kind, cause }: Extract<Outcome, { readonly cause: string }>): boolean {
  return !causesOfOurs.has(cause) && !(kind === "not_sent" && cause === "deadline_exceeded");
}
