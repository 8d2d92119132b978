/**
 * Stripe's published test card numbers, and what each makes the acquirer do.
 *
 * A number that is not listed is approved as `unlisted` when its check digit is right. Nothing here is a real card, and no number
 * leaves this table: books keep the last four digits and the name.
 */
import type { ResponseCode } from "./response-code.ts";

export type AvsAnswer = "match" | "mismatch" | "partial" | "unavailable" | "";
export type CvvAnswer = "match" | "mismatch" | "unavailable" | "";

export type TestCard = {
  readonly number: string;
  readonly name: string;
  readonly code: ResponseCode;
  /** Answers that this card gives whatever was sent; absent: as sent. */
  readonly avs?: AvsAnswer;
  readonly cvv?: CvvAnswer;
  /** Refunds are accepted, and fail when they settle. */
  readonly refundsFail?: true;
};

const card = (number: string, name: string, code: ResponseCode = "00", more: Partial<TestCard> = {}): TestCard => ({
  number,
  name,
  code,
  ...more,
});

export const testCards: readonly TestCard[] = [
  card("4242424242424242", "visa"),
  card("4000056655665556", "visa_debit"),
  card("5555555555554444", "mastercard"),
  card("2223003122003222", "mastercard_2_series"),
  card("5200828282828210", "mastercard_debit"),
  card("5105105105105100", "mastercard_prepaid"),
  card("378282246310005", "amex"),
  card("371449635398431", "amex_second"),
  card("6011111111111117", "discover"),
  card("6011000990139424", "discover_second"),
  card("30569309025904", "diners"),
  card("38520000023237", "diners_14_digits"),
  card("3566002020360505", "jcb"),
  card("6200000000000005", "unionpay"),
  card("4000000000000077", "available_at_once"),
  card("4000000000000002", "declined_generic", "05"),
  card("4000000000009995", "declined_insufficient_funds", "51"),
  card("4000000000009987", "declined_lost_card", "41"),
  card("4000000000009979", "declined_stolen_card", "43"),
  card("4000000000000069", "declined_expired_card", "54"),
  card("4000000000000127", "declined_incorrect_cvc", "N7", { cvv: "mismatch" }),
  card("4000000000000119", "declined_processing_error", "96"),
  card("4242424242424241", "declined_incorrect_number", "14"),
  card("4000000000000341", "declined_after_attach", "05"),
  card("4000000000000010", "avs_line1_and_postal_code_fail", "00", { avs: "mismatch" }),
  card("4000000000000028", "avs_line1_fails", "00", { avs: "partial" }),
  card("4000000000000036", "avs_postal_code_fails", "00", { avs: "partial" }),
  card("4000000000000044", "avs_unavailable", "00", { avs: "unavailable" }),
  card("4000000000000101", "cvc_check_fails", "00", { cvv: "mismatch" }),
  card("4000000000005126", "refund_fails", "00", { refundsFail: true }),
  card("4100000000000019", "fraud_always_blocked"),
  card("4000000000004954", "fraud_highest_risk"),
  card("4000000000009235", "fraud_elevated_risk"),
];

const byNumber: ReadonlyMap<string, TestCard> = new Map(testCards.map((entry) => [entry.number, entry]));

export function findTestCard(number: string): TestCard | undefined {
  return byNumber.get(number);
}
