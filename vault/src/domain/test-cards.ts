/**
 * The only numbers that test mode takes: Stripe's published test cards, and the well-known token of each.
 *
 * None of them is a real card, which is why they alone may stand in clear here. What each does at the processor is the simulator's affair.
 *
 * Well-known tokens are `tok_<brand>_<last four>`; a card with a purpose has a speaking name besides. They open for every merchant, in test mode
 * only, so that a first payment needs no card fields. Tests keep both names unique.
 */
import { brandOf } from "@florin/kernel";
import type { Funding } from "./card.ts";

export type TestCard = {
  /** ASCII digits. */
  readonly number: string;
  readonly funding: Funding;
  /** Words of the speaking token: "declined_generic" is `tok_visa_declined_generic`. */
  readonly purpose?: string;
};

const card = (number: string, purpose?: string, funding: Funding = "credit"): TestCard => ({
  number,
  funding,
  ...(purpose === undefined ? {} : { purpose }),
});

export const testCards: readonly TestCard[] = [
  card("4242424242424242"),
  card("4000056655665556", "debit", "debit"),
  card("5555555555554444"),
  card("2223003122003222", "2_series"),
  card("5200828282828210", "debit", "debit"),
  card("5105105105105100", "prepaid", "prepaid"),
  card("378282246310005"),
  card("371449635398431"),
  card("6011111111111117"),
  card("6011000990139424"),
  card("30569309025904"),
  card("38520000023237"),
  card("3566002020360505"),
  card("6200000000000005"),
  card("4000000000000077", "available_at_once"),
  // Declines.
  card("4000000000000002", "declined_generic"),
  card("4000000000009995", "declined_insufficient_funds"),
  card("4000000000009987", "declined_lost_card"),
  card("4000000000009979", "declined_stolen_card"),
  card("4000000000000069", "declined_expired_card"),
  card("4000000000000127", "declined_incorrect_cvc"),
  card("4000000000000119", "declined_processing_error"),
  // Its check digit is wrong: it has a well-known token, and cannot be handed in.
  card("4242424242424241", "declined_incorrect_number"),
  card("4000000000000341", "declined_after_attach"),
  // Address and security code checks.
  card("4000000000000010", "avs_line1_and_postal_code_fail"),
  card("4000000000000028", "avs_line1_fails"),
  card("4000000000000036", "avs_postal_code_fails"),
  card("4000000000000044", "avs_unavailable"),
  card("4000000000000101", "cvc_check_fails"),
  // Refunds, disputes, fraud.
  card("4000000000005126", "refund_fails"),
  card("4000000000000259", "disputed"),
  card("4100000000000019", "fraud_always_blocked"),
  card("4000000000004954", "fraud_highest_risk"),
  card("4000000000009235", "fraud_elevated_risk"),
  // 3-D Secure.
  card("4000002760003184", "three_d_secure_always"),
  card("4000002500003155", "three_d_secure_setup"),
  card("4000000000003220", "three_d_secure_required"),
  card("4000000000003063", "three_d_secure_required_second"),
  card("4000008260003178", "three_d_secure_then_declined"),
  card("4000008400001629", "three_d_secure_then_declined_second"),
];

/** The test card of this number (ASCII digits). */
export function findTestCard(number: Uint8Array): TestCard | undefined {
  return testCards.find((entry) => isSame(number, entry.number));
}

/** Byte by byte, so that a real number never becomes a string. */
function isSame(number: Uint8Array, digits: string): boolean {
  if (number.length !== digits.length) return false;
  for (let index = 0; index < number.length; index++) if (number[index] !== digits.charCodeAt(index)) return false;
  return true;
}

export type WellKnownCard = TestCard & { readonly brand: ReturnType<typeof brandOf> };

/** Every name of every well-known token. */
export const wellKnownTokens: ReadonlyMap<string, WellKnownCard> = new Map(
  testCards.flatMap((entry) => {
    const brand = brandOf(Buffer.from(entry.number, "latin1"));
    const known = { ...entry, brand };
    const names = [entry.number.slice(-4), ...(entry.purpose === undefined ? [] : [entry.purpose])];
    return names.map((name) => [`tok_${brand}_${name}`, known] as const);
  }),
);

/** What well-known tokens say besides the number. Far enough away for every sandbox. */
export const wellKnownExpiry = { expMonth: 12, expYear: 2035 } as const;
export const wellKnownCode = (brand: string): string => (brand === "amex" ? "1234" : "123");
