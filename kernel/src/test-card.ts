/**
 * The published test cards of Stripe, by name: the only card numbers that test mode takes, and the ones that the sandbox's acquirer knows.
 *
 * One table, because two processes that never import each other need it: what the vault takes, the simulator must know. None of them is a
 * real card, which is why they may stand in clear here and nowhere else. Names say what a card is for and never change: they are part of
 * well-known tokens and of the acquirer's books. An entry of its own (`@florin/kernel/test-cards`): whoever loads the kernel must not have them
 * in memory. Not here: what each does at the acquirer (the simulator's affair).
 */

export type TestCard = {
  /** ASCII digits. */
  readonly number: string;
  readonly funding: "credit" | "debit" | "prepaid";
};

const card = (number: string, funding: TestCard["funding"] = "credit"): TestCard => ({ number, funding });

export const testCards = {
  visa: card("4242424242424242"),
  visa_debit: card("4000056655665556", "debit"),
  mastercard: card("5555555555554444"),
  mastercard_2_series: card("2223003122003222"),
  mastercard_debit: card("5200828282828210", "debit"),
  mastercard_prepaid: card("5105105105105100", "prepaid"),
  amex: card("378282246310005"),
  amex_second: card("371449635398431"),
  discover: card("6011111111111117"),
  discover_second: card("6011000990139424"),
  diners: card("30569309025904"),
  diners_second: card("38520000023237"),
  jcb: card("3566002020360505"),
  unionpay: card("6200000000000005"),
  available_at_once: card("4000000000000077"),
  // Declines.
  declined_generic: card("4000000000000002"),
  declined_insufficient_funds: card("4000000000009995"),
  declined_lost_card: card("4000000000009987"),
  declined_stolen_card: card("4000000000009979"),
  declined_expired_card: card("4000000000000069"),
  declined_incorrect_cvc: card("4000000000000127"),
  declined_processing_error: card("4000000000000119"),
  /** Its check digit is wrong: it has a well-known token, and cannot be handed in. */
  declined_incorrect_number: card("4242424242424241"),
  declined_after_attach: card("4000000000000341"),
  // Address and security code checks.
  avs_line1_and_postal_code_fail: card("4000000000000010"),
  avs_line1_fails: card("4000000000000028"),
  avs_postal_code_fails: card("4000000000000036"),
  avs_unavailable: card("4000000000000044"),
  cvc_check_fails: card("4000000000000101"),
  // Refunds, disputes, fraud.
  refund_fails: card("4000000000005126"),
  disputed: card("4000000000000259"),
  fraud_always_blocked: card("4100000000000019"),
  fraud_highest_risk: card("4000000000004954"),
  fraud_elevated_risk: card("4000000000009235"),
  // 3-D Secure.
  three_d_secure_always: card("4000002760003184"),
  three_d_secure_setup: card("4000002500003155"),
  three_d_secure_required: card("4000000000003220"),
  three_d_secure_required_second: card("4000000000003063"),
  three_d_secure_then_declined: card("4000008260003178"),
  three_d_secure_then_declined_second: card("4000008400001629"),
} as const satisfies Readonly<Record<string, TestCard>>;

export type TestCardName = keyof typeof testCards;

/** In the table's order. */
export const testCardNames = Object.keys(testCards) as readonly TestCardName[];
