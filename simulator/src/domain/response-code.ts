/**
 * What the acquirer answers: a response code in the manner of ISO 8583:1987 DE 39, and the decline code that Stripe's users know.
 */

export const responseCodes = {
  "00": { status: "approved", declineCode: "" },
  "05": { status: "declined", declineCode: "generic_decline" },
  "12": { status: "declined", declineCode: "transaction_not_allowed" },
  "13": { status: "declined", declineCode: "invalid_amount" },
  "14": { status: "declined", declineCode: "incorrect_number" },
  "19": { status: "declined", declineCode: "try_again_later" },
  "41": { status: "declined", declineCode: "lost_card" },
  "43": { status: "declined", declineCode: "stolen_card" },
  /** The account is closed. */
  "46": { status: "declined", declineCode: "invalid_account" },
  "51": { status: "declined", declineCode: "insufficient_funds" },
  "54": { status: "declined", declineCode: "expired_card" },
  "55": { status: "declined", declineCode: "incorrect_pin" },
  "59": { status: "declined", declineCode: "fraudulent" },
  "91": { status: "declined", declineCode: "issuer_unavailable" },
  "96": { status: "declined", declineCode: "processing_error" },
  /** Visa: the issuer asks for authentication of the payer. */
  "1A": { status: "declined", declineCode: "authentication_required" },
  /** Visa: CVV2 mismatch. */
  N7: { status: "declined", declineCode: "incorrect_cvc" },
} as const satisfies Record<string, { readonly status: "approved" | "declined"; readonly declineCode: string }>;

export type ResponseCode = keyof typeof responseCodes;

export function isResponseCode(value: string): value is ResponseCode {
  return Object.hasOwn(responseCodes, value);
}

/** The decline code of a response code; empty for an approval. */
export function declineCodeOf(value: string): string {
  return isResponseCode(value) ? responseCodes[value].declineCode : "";
}
