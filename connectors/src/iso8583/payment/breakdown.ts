/**
 * A host that breaks down over an authorization (06, 96) says no, and may have booked it before. So the no is one when the authorization has been
 * reversed: another way may then be tried without a second hold. Where the reversal has no answer either, nobody knows, and the switch goes on reversing.
 * So it does where the host has nothing to reverse: what broke down in front may still be booked behind.
 */
import type { Outcome } from "../../contract/outcome.ts";
import { meaningOf } from "../response-table.ts";

export type Declined = Extract<Outcome, { readonly kind: "declined" }>;

export function isBreakdown(outcome: Outcome): outcome is Declined {
  if (outcome.kind !== "declined") return false;
  const meaning = meaningOf("1987", outcome.words.responseCode);
  return meaning.kind === "declined" && meaning.about === "breakdown";
}

/** What became of the authorization, when its reversal ended so. */
export function afterReversal(decline: Declined, reversed: Outcome): Outcome {
  return reversed.kind === "approved" ? decline : { kind: "unknown", cause: "processor_fault", words: decline.words };
}
