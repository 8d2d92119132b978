/**
 * No card number gets past the edge: what a merchant may write freely is stored, shown and exported for years, by processes that must never see one.
 *
 * REST and Connect both come through here, after their own checks. Not checked: cursors and payment ids, which are refused or not found unless we
 * made them, and are kept nowhere. The refusal names the field and repeats nothing.
 */
import { holdsCardNumber } from "@florin/detector";
import { type AppError, invalid } from "@florin/kernel";

type NewPayment = {
  readonly merchantReference: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly paymentMethod?: { readonly token?: string | undefined } | undefined;
};

/** Undefined when `text` holds none. */
export function problemOfCardNumber(text: string | undefined, param: string): AppError | undefined {
  if (text === undefined || !holdsCardNumber(text)) return undefined;
  return invalid("card_number_not_allowed", `${param} holds what looks like a card number: card numbers go to the vault only`, param);
}

export function problemOfCardInNewPayment(payment: NewPayment): AppError | undefined {
  return (
    problemOfCardNumber(payment.merchantReference, "merchant_reference") ??
    problemOfCardNumber(payment.description, "description") ??
    problemOfCardInMetadata(payment.metadata) ??
    problemOfCardInToken(payment.paymentMethod)
  );
}

/** The form of a token lets sixteen digits through. */
export function problemOfCardInToken(method: NewPayment["paymentMethod"]): AppError | undefined {
  return problemOfCardNumber(method?.token, "payment_method.token");
}

/** A value is named by its key, a key by nothing: it is what must not be repeated. Last the pairs together: a number may be cut over them. */
function problemOfCardInMetadata(metadata: NewPayment["metadata"]): AppError | undefined {
  const pairs = Object.entries(metadata);
  for (const [key, value] of pairs) {
    const problem = problemOfCardNumber(key, "metadata") ?? problemOfCardNumber(value, `metadata.${key}`);
    if (problem !== undefined) return problem;
  }
  return pairs.length < 2 ? undefined : problemOfCardNumber(JSON.stringify(metadata), "metadata");
}
