/**
 * What the issuer does with each of the published test cards.
 *
 * The table is total over the kernel's: a card that the vault takes and nobody here knows does not compile. A number that is not listed is
 * approved as `unlisted` when its check digit is right. No number leaves this table: books keep the last four digits and the name.
 */
import { testCards as numbers, type TestCardName, testCardNames } from "@florin/kernel/test-cards";
import type { ResponseCode } from "./response-code.ts";

export type AvsAnswer = "match" | "mismatch" | "partial" | "unavailable" | "";
export type CvvAnswer = "match" | "mismatch" | "unavailable" | "";

type Behaviour = {
  readonly code: ResponseCode;
  /** Answers that this card gives whatever was sent; absent: as sent. */
  readonly avs?: AvsAnswer;
  readonly cvv?: CvvAnswer;
  /** Refunds are accepted, and fail when they settle. */
  readonly refundsFail?: true;
};
export type TestCard = Behaviour & { readonly number: string; readonly name: TestCardName };

const approves = (more: Omit<Behaviour, "code"> = {}): Behaviour => ({ code: "00", ...more });
const declines = (code: Exclude<ResponseCode, "00">, more: Omit<Behaviour, "code"> = {}): Behaviour => ({ code, ...more });
/** The acquirer's API carries no proof of authentication, so cards that want one are told so, also those that are declined after it. */
const wantsAuthentication = declines("1A");

const behaviours: Readonly<Record<TestCardName, Behaviour>> = {
  visa: approves(),
  visa_debit: approves(),
  mastercard: approves(),
  mastercard_2_series: approves(),
  mastercard_debit: approves(),
  mastercard_prepaid: approves(),
  amex: approves(),
  amex_second: approves(),
  discover: approves(),
  discover_second: approves(),
  diners: approves(),
  diners_second: approves(),
  jcb: approves(),
  unionpay: approves(),
  available_at_once: approves(),
  declined_generic: declines("05"),
  declined_insufficient_funds: declines("51"),
  declined_lost_card: declines("41"),
  declined_stolen_card: declines("43"),
  declined_expired_card: declines("54"),
  declined_incorrect_cvc: declines("N7", { cvv: "mismatch" }),
  declined_processing_error: declines("96"),
  declined_incorrect_number: declines("14"),
  declined_after_attach: declines("05"),
  avs_line1_and_postal_code_fail: approves({ avs: "mismatch" }),
  avs_line1_fails: approves({ avs: "partial" }),
  avs_postal_code_fails: approves({ avs: "partial" }),
  avs_unavailable: approves({ avs: "unavailable" }),
  cvc_check_fails: approves({ cvv: "mismatch" }),
  refund_fails: approves({ refundsFail: true }),
  disputed: approves(),
  fraud_always_blocked: approves(),
  fraud_highest_risk: approves(),
  fraud_elevated_risk: approves(),
  three_d_secure_always: wantsAuthentication,
  three_d_secure_setup: wantsAuthentication,
  three_d_secure_required: wantsAuthentication,
  three_d_secure_required_second: wantsAuthentication,
  three_d_secure_then_declined: wantsAuthentication,
  three_d_secure_then_declined_second: wantsAuthentication,
};

export const testCards: readonly TestCard[] = testCardNames.map((name) => ({ name, number: numbers[name].number, ...behaviours[name] }));

const byNumber: ReadonlyMap<string, TestCard> = new Map(testCards.map((entry) => [entry.number, entry]));

export function findTestCard(number: string): TestCard | undefined {
  return byNumber.get(number);
}
