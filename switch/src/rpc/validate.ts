/**
 * The limits of every request, checked here too: internal services call the switch without the edge. Each problem names its field, and
 * nothing was done.
 */
import { isIP } from "node:net";
import { type Caller, CaptureMode as WireCaptureMode, Mode as WireMode } from "@florin/gen/payments/v1/payments";
import { amountMinorMax, invalid, isCurrency, isId } from "@florin/kernel";
import type { CallBudget } from "@florin/runtime/resilience";
import type { CallerIdentity } from "../app/operation.ts";
import type { CaptureMode } from "../domain/payment/index.ts";

export const limits = {
  idempotencyKeyLengthMax: 255,
  actorLengthMax: 128,
  requestIdLengthMax: 128,
  referenceLengthMax: 255,
  descriptionLengthMax: 1_000,
  metadataPairsMax: 50,
  metadataKeyLengthMax: 40,
  metadataValueLengthMax: 500,
  reasonLengthMax: 255,
  tokenLengthMax: 64,
  pageMax: 100,
} as const;

export function callerOf(caller: Caller | undefined, traceparent: string, budget?: CallBudget): CallerIdentity {
  if (caller === undefined) throw invalid("parameter_missing", "the caller is missing", "caller");
  if (!isId("merchant", caller.merchantId)) throw invalid("parameter_invalid", "not a merchant id", "caller.merchant_id");
  if (caller.mode !== WireMode.TEST && caller.mode !== WireMode.LIVE)
    throw invalid("parameter_missing", "the mode is missing", "caller.mode");
  const { actor } = caller;
  if (actor.length === 0 || actor.length > limits.actorLengthMax)
    throw invalid("parameter_invalid", "an actor has 1 to 128 characters", "caller.actor");
  const requestId = checkText(caller.requestId, "caller.request_id", limits.requestIdLengthMax);
  const origin = { actor, requestId, traceparent };
  return { merchantId: caller.merchantId, mode: caller.mode === WireMode.LIVE ? "live" : "test", origin, budget };
}

const printable = /^[\x20-\x7e]+$/;

export function checkKey(key: string): string {
  if (key === "") throw invalid("idempotency_key_missing", "mutations need an idempotency key", "idempotency_key");
  if (key.length > limits.idempotencyKeyLengthMax || !printable.test(key)) {
    throw invalid("idempotency_key_invalid", "an idempotency key has 1 to 255 printable ASCII characters", "idempotency_key");
  }
  return key;
}

export function checkAmount(amount: bigint): bigint {
  if (amount < 1n || amount > amountMinorMax)
    throw invalid("amount_invalid", `an amount is from 1 to ${amountMinorMax} minor units`, "amount");
  return amount;
}

export function checkCurrency(currency: string): string {
  if (!isCurrency(currency)) throw invalid("currency_unknown", "not an active ISO 4217 code", "currency");
  return currency;
}

/** At most `lengthMax` characters (code points, as at the edge); may be empty. */
export function checkText(text: string, param: string, lengthMax: number): string {
  if (text.length > lengthMax && [...text].length > lengthMax) throw invalid("parameter_invalid", `at most ${lengthMax} characters`, param);
  if (text.includes("\0")) throw invalid("parameter_invalid", "no NUL character", param);
  return text;
}

export function checkFilled(text: string, param: string, lengthMax: number): string {
  if (text === "") throw invalid("parameter_missing", "is required", param);
  return checkText(text, param, lengthMax);
}

export function checkMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const pairs = Object.entries(metadata);
  if (pairs.length > limits.metadataPairsMax) throw invalid("parameter_invalid", `at most ${limits.metadataPairsMax} pairs`, "metadata");
  for (const [key, value] of pairs) {
    checkFilled(key, "metadata", limits.metadataKeyLengthMax);
    checkText(value, `metadata.${key}`, limits.metadataValueLengthMax);
  }
  return metadata;
}

/** Empty, or an IPv4 or IPv6 address. */
export function checkIp(ip: string): string {
  if (ip !== "" && isIP(ip) === 0) throw invalid("parameter_invalid", "not an IP address", "customer_ip");
  return ip;
}

/** Unspecified is manual. A mode of a newer caller is refused: read as manual it would leave money untaken, or take it unasked. */
export function checkCaptureMode(mode: WireCaptureMode): CaptureMode {
  if (mode === WireCaptureMode.AUTOMATIC) return "automatic";
  if (mode === WireCaptureMode.MANUAL || mode === WireCaptureMode.UNSPECIFIED) return "manual";
  throw invalid("parameter_invalid", "no such capture mode", "capture_mode");
}

/** A malformed id is said to be not found, as one that does not exist is. */
export function checkPaymentId(id: string): string {
  if (!isId("payment", id)) throw invalid("payment_not_found", "no such payment", "payment_id");
  return id;
}
