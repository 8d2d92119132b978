/**
 * Why a payment is declined, in Florin's words, and whether another try may help (R29).
 *
 * Every connector maps its processor's codes onto these; a code without a mapping is an unknown outcome, never a decline.
 */

export type DeclineCode = "do_not_retry" | "retry_allowed";
export type DeclineEntry = { readonly declineCode: DeclineCode; readonly message: string };

const never = (message: string): DeclineEntry => ({ declineCode: "do_not_retry", message });
const later = (message: string): DeclineEntry => ({ declineCode: "retry_allowed", message });

export const declineReasons = {
  generic_decline: later("The card was declined."),
  do_not_honor: later("The issuer declined the payment."),
  insufficient_funds: later("The card has insufficient funds."),
  card_velocity_exceeded: later("The card has exceeded its limit for now."),
  try_again_later: later("The issuer could not answer. Try again later."),
  processing_error: later("The processor could not process the payment."),
  issuer_unavailable: later("The issuer could not be reached."),
  authentication_required: later("The issuer asks for authentication of the payer."),
  incorrect_cvc: later("The security code is wrong."),
  incorrect_pin: later("The PIN is wrong, or was wrong too often."),
  incorrect_number: never("The card number is wrong."),
  expired_card: never("The card has expired."),
  card_not_supported: never("The card does not support this kind of payment."),
  currency_not_supported: never("The card does not support this currency."),
  transaction_not_allowed: never("The issuer does not allow this payment."),
  invalid_account: never("The card's account is not valid."),
  invalid_amount: never("The issuer does not allow this amount."),
  lost_card: never("The card was declined."),
  stolen_card: never("The card was declined."),
  pickup_card: never("The card was declined."),
  fraudulent: never("The card was declined."),
  do_not_try_again: never("The issuer asks not to try again."),
  revocation_of_authorization: never("The payer has revoked this payment."),
  duplicate_transaction: never("The processor has seen this payment before."),
  fraud_blocked: never("The payment was blocked by a fraud rule."),
  token_not_usable: never("The token cannot pay for this (any more); nothing was sent."),
  processor_unreachable: later("The processor could not be reached; nothing was sent."),
} as const satisfies Record<string, DeclineEntry>;

export type DeclineReason = keyof typeof declineReasons;

export function isDeclineReason(value: string): value is DeclineReason {
  return Object.hasOwn(declineReasons, value);
}
