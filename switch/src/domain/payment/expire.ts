/** Expiry of a hold (R11): the issuer has dropped it, so what was not captured is released. Operations under way are waited for. */
import type { Origin } from "./event.ts";
import { type Payment, remaining } from "./payment.ts";
import { advance, append, ignore, type Recording } from "./transition.ts";

export function expireAuthorization(payment: Payment, context: { readonly nowMs: number; readonly origin: Origin }): Recording {
  if (payment.hold !== "held" || payment.authorizationExpiresAtMs === 0) return ignore("nothing is held");
  if (context.nowMs < payment.authorizationExpiresAtMs) return ignore("the hold has not run out");
  if (payment.openOperations.some((operation) => operation.kind !== "refund" && operation.kind !== "reversal"))
    return ignore("a capture or void is under way");
  const amount = remaining(payment);
  if (amount === 0n) return ignore("nothing remains");
  const facts = { hold: "expired", released: payment.released + amount, authorizationExpiresAtMs: 0 } as const;
  return append(advance(payment, facts, { type: "authorization_expired", ...context, operationId: payment.authorizationId, amount }));
}
