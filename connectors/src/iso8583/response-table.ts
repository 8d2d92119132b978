/**
 * What DE 39 means: response codes of ISO 8583:1987 and action codes of 1993, one total table each. A code that is not in its table, or stands there
 * as unknown, is an unknown outcome: it is reversed, never taken for a decline.
 *
 * Unknown are in particular: a partial approval and an approval under a condition (part of the money may be held, and nobody here can check an
 * identity), a late or invalid answer of the issuer that a network in between reports (it may have been an approval), a duplicate (the first
 * may have been approved), and codes of file updates and totals, which are no answers to a payment.
 *
 * Temporary are declines that say nothing about the operation: the host, the issuer or the way to it could not look at it just now. They end what is
 * asked once, an authorization. What is repeated until it is answered (captures, voids, refunds, reversals) stays unknown: an earlier copy may have
 * been carried out, and a later one may be. The same holds for what is refused at the door: the host did not like the request's form, its
 * authentication code or who sends it, and looked at nothing else (http1/turned-away.ts is the same rule for HTTP). No issuer spoke, so its reason is
 * never one of those after which the networks forbid to try the card again (switch/src/domain/routing/cascade.ts).
 *
 * A host that broke down itself (06, 96, 909) may have done so after its booking: its no is one when the authorization has been reversed
 * (payment/breakdown.ts). What it had sent on to an issuer that did not answer (91) it reverses itself: that is the networks' rule.
 */
import type { DeclineReason } from "@florin/kernel";
import type { UnknownCause } from "../contract/outcome.ts";

export type Meaning =
  | { readonly kind: "approved" }
  /** `about`: what the no says something of. Only one about the operation itself ends what is repeated until it is answered. */
  | { readonly kind: "declined"; readonly reason: DeclineReason; readonly about: "operation" | "moment" | "breakdown" | "request" }
  /** The host has no operation that this one could be about. */
  | { readonly kind: "no_original" }
  | { readonly kind: "unknown"; readonly cause: UnknownCause };

const approved: Meaning = { kind: "approved" };
const noOriginal: Meaning = { kind: "no_original" };
const declined = (reason: DeclineReason): Meaning => ({ kind: "declined", reason, about: "operation" });
const temporary = (reason: DeclineReason): Meaning => ({ kind: "declined", reason, about: "moment" });
const brokeDown: Meaning = { kind: "declined", reason: "processing_error", about: "breakdown" };
const turnedAway = (reason: DeclineReason): Meaning => ({ kind: "declined", reason, about: "request" });
const unclear = (cause: UnknownCause): Meaning => ({ kind: "unknown", cause });
const noAnswerToPayment = unclear("unmapped_response");
const partOrCondition = unclear("unmapped_response");

/** ISO 8583:1987 DE 39, and codes of its private range as Visa publishes them. */
export const responseCodes1987 = {
  "00": approved,
  "01": declined("do_not_honor"),
  "02": declined("do_not_honor"),
  "03": turnedAway("processing_error"),
  "04": declined("pickup_card"),
  "05": declined("do_not_honor"),
  "06": brokeDown,
  "07": declined("pickup_card"),
  "08": partOrCondition,
  "09": unclear("in_progress"),
  "10": partOrCondition,
  "11": approved,
  "12": declined("transaction_not_allowed"),
  "13": declined("invalid_amount"),
  "14": declined("incorrect_number"),
  "15": declined("invalid_account"),
  "16": approved,
  "17": declined("generic_decline"),
  "18": declined("generic_decline"),
  "19": temporary("try_again_later"),
  "20": unclear("processor_fault"),
  "21": declined("processing_error"),
  "22": unclear("processor_fault"),
  "23": declined("transaction_not_allowed"),
  "24": noAnswerToPayment,
  "25": noOriginal,
  "26": noAnswerToPayment,
  "27": noAnswerToPayment,
  "28": noAnswerToPayment,
  "29": noAnswerToPayment,
  "30": turnedAway("processing_error"),
  "31": declined("card_not_supported"),
  "32": partOrCondition,
  "33": declined("expired_card"),
  "34": declined("fraudulent"),
  "35": declined("pickup_card"),
  "36": declined("pickup_card"),
  "37": declined("pickup_card"),
  "38": declined("pickup_card"),
  "39": declined("invalid_account"),
  "40": turnedAway("processing_error"),
  "41": declined("lost_card"),
  "42": declined("invalid_account"),
  "43": declined("stolen_card"),
  "44": declined("invalid_account"),
  "46": declined("invalid_account"),
  "51": declined("insufficient_funds"),
  "52": declined("invalid_account"),
  "53": declined("invalid_account"),
  "54": declined("expired_card"),
  "55": declined("incorrect_pin"),
  "56": declined("incorrect_number"),
  "57": declined("transaction_not_allowed"),
  "58": turnedAway("processing_error"),
  "59": declined("fraudulent"),
  "60": declined("do_not_honor"),
  "61": declined("card_velocity_exceeded"),
  "62": declined("card_not_supported"),
  "63": turnedAway("do_not_honor"),
  "64": declined("invalid_amount"),
  "65": declined("card_velocity_exceeded"),
  "66": declined("do_not_honor"),
  "67": declined("pickup_card"),
  "68": unclear("processor_fault"),
  "75": declined("incorrect_pin"),
  "82": declined("incorrect_cvc"),
  "90": temporary("try_again_later"),
  "91": temporary("issuer_unavailable"),
  "92": temporary("issuer_unavailable"),
  "93": declined("transaction_not_allowed"),
  "94": unclear("key_reused"),
  "95": noAnswerToPayment,
  "96": brokeDown,
  "1A": declined("authentication_required"),
  N7: declined("incorrect_cvc"),
  R0: declined("revocation_of_authorization"),
  R1: declined("revocation_of_authorization"),
  R3: declined("revocation_of_authorization"),
} as const satisfies Readonly<Record<string, Meaning>>;

/** ISO 8583:1993 DE 39: 0xx approved, 1xx denied, 2xx denied and pick up, 4xx reversals, 9xx the system. */
export const actionCodes1993 = {
  "000": approved,
  "001": partOrCondition,
  "002": partOrCondition,
  "003": approved,
  "004": approved,
  "005": approved,
  "006": partOrCondition,
  "007": approved,
  "100": declined("do_not_honor"),
  "101": declined("expired_card"),
  "102": declined("fraudulent"),
  "103": declined("do_not_honor"),
  "104": declined("card_not_supported"),
  "105": declined("do_not_honor"),
  "106": declined("incorrect_pin"),
  "107": declined("do_not_honor"),
  "108": declined("do_not_honor"),
  "109": turnedAway("processing_error"),
  "110": declined("invalid_amount"),
  "111": declined("incorrect_number"),
  "112": declined("authentication_required"),
  "113": declined("transaction_not_allowed"),
  "114": declined("invalid_account"),
  "115": turnedAway("processing_error"),
  "116": declined("insufficient_funds"),
  "117": declined("incorrect_pin"),
  "118": declined("incorrect_number"),
  "119": declined("transaction_not_allowed"),
  "120": turnedAway("processing_error"),
  "121": declined("card_velocity_exceeded"),
  "122": declined("do_not_honor"),
  "123": declined("card_velocity_exceeded"),
  "124": declined("transaction_not_allowed"),
  "125": declined("card_not_supported"),
  "126": declined("processing_error"),
  "127": declined("processing_error"),
  "128": declined("processing_error"),
  "129": declined("fraudulent"),
  "200": declined("pickup_card"),
  "201": declined("expired_card"),
  "202": declined("fraudulent"),
  "203": declined("pickup_card"),
  "204": declined("pickup_card"),
  "205": declined("pickup_card"),
  "206": declined("pickup_card"),
  "207": declined("pickup_card"),
  "208": declined("lost_card"),
  "209": declined("stolen_card"),
  "210": declined("fraudulent"),
  "400": approved,
  "800": approved,
  "902": declined("transaction_not_allowed"),
  "903": temporary("try_again_later"),
  "904": turnedAway("processing_error"),
  "905": turnedAway("processing_error"),
  "906": temporary("try_again_later"),
  "907": temporary("issuer_unavailable"),
  "908": temporary("issuer_unavailable"),
  "909": brokeDown,
  "910": temporary("issuer_unavailable"),
  "911": unclear("processor_fault"),
  "912": temporary("issuer_unavailable"),
  "913": unclear("key_reused"),
  "914": noOriginal,
  "915": temporary("try_again_later"),
  "916": turnedAway("processing_error"),
  "917": turnedAway("processing_error"),
  "918": turnedAway("processing_error"),
  "919": turnedAway("processing_error"),
  "920": turnedAway("processing_error"),
  "921": turnedAway("processing_error"),
  "922": turnedAway("processing_error"),
  "923": unclear("in_progress"),
} as const satisfies Readonly<Record<string, Meaning>>;

const tables: Readonly<Record<"1987" | "1993", Readonly<Record<string, Meaning>>>> = { "1987": responseCodes1987, "1993": actionCodes1993 };
const unmapped: Meaning = unclear("unmapped_response");

/** What `code` means in that version of the standard. */
export function meaningOf(version: "1987" | "1993", code: string): Meaning {
  const table = tables[version];
  return Object.hasOwn(table, code) ? (table[code] as Meaning) : unmapped;
}
