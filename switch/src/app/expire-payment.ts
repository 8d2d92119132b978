/**
 * Ends holds that the issuer has dropped (R11).
 *
 * One visit decides what is next: the hold is expired now, or comes again at a time, or is of no more interest. Safe to repeat and to run
 * in two replicas: the log takes one expiry.
 */
import { expireAuthorization } from "../domain/payment/expire.ts";
import { type Origin, type Payment, remaining } from "../domain/payment/index.ts";
import type { Which } from "../store/log-reader.ts";
import type { Parts } from "./parts.ts";

export type Visit =
  | { readonly kind: "expired" }
  /** Nothing is held, and nothing will be. */
  | { readonly kind: "over" }
  /** The hold has not run out, or something is under way. */
  | { readonly kind: "again"; readonly dueAtMs: number };

const origin: Origin = { actor: "worker:expiry", requestId: "", traceparent: "" };
const conflictTriesMax = 16;
/** When something is under way or undecided: long after any processor has answered. */
const busyRetryMs = 60 * 60 * 1000;

export async function expirePayment(parts: Parts, which: Which): Promise<Visit> {
  for (let tries = 0; tries < conflictTriesMax; tries++) {
    const payment = await parts.reader.newest(which);
    if (payment === undefined) return { kind: "over" };
    const nowMs = parts.now();
    const recording = expireAuthorization(payment, { nowMs, origin });
    if (recording.kind === "ignored") return nextVisit(payment, nowMs);
    const appended = await parts.log.append(recording.transition, undefined);
    if (appended.kind !== "appended") continue;
    parts.metrics.count("switch_expired_total");
    return { kind: "expired" };
  }
  return { kind: "again", dueAtMs: parts.now() + busyRetryMs };
}

function nextVisit(payment: Payment, nowMs: number): Visit {
  const mayHoldLater = payment.hold === "requested" || payment.hold === "ambiguous";
  const holds = payment.hold === "held" && (remaining(payment) > 0n || payment.capturePending > 0n);
  if (!mayHoldLater && !holds) return { kind: "over" };
  const isRunning = holds && payment.authorizationExpiresAtMs > nowMs;
  return { kind: "again", dueAtMs: isRunning ? payment.authorizationExpiresAtMs : nowMs + busyRetryMs };
}
