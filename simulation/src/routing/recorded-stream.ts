/** A stream of payments as lines of JSON, one payment each; amounts as text, because they are big integers. No card data: a recorded card is a word. */
import { isCurrency, isDeclineReason } from "@florin/kernel";
import type { WorldPayment } from "./world-payment.ts";

export const paymentsMax = 1_000_000;

export function writeStream(stream: readonly WorldPayment[]): string {
  return stream
    .map((payment) => `${JSON.stringify(payment, (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value))}\n`)
    .join("");
}

/** Throws with the number of the first line that is no payment. Times must not run backwards: routing learns in their order. */
export function readStream(text: string): readonly WorldPayment[] {
  const lines = text.split("\n").filter((line) => line !== "");
  if (lines.length === 0 || lines.length > paymentsMax) throw new Error(`a stream has 1 to ${paymentsMax} payments`);
  let lastMs = Number.NEGATIVE_INFINITY;
  return lines.map((line, index) => {
    const payment = paymentOf(line);
    if (payment === undefined || payment.atMs < lastMs) throw new Error(`line ${index + 1} is no payment, or one before the line above`);
    lastMs = payment.atMs;
    return payment;
  });
}

type Fields = Readonly<Record<string, unknown>>;

function paymentOf(line: string): WorldPayment | undefined {
  let read: unknown;
  try {
    read = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isFields(read) || !isFields(read["request"]) || !isFields(read["card"])) return undefined;
  const { request, card, atMs, cardFingerprint, refusal, luck } = read as Fields & { request: Fields; card: Fields };
  const isTold = isRequest(request) && isCard(request) && isCard(card);
  const isWorld = Number.isSafeInteger(atMs) && Number.isSafeInteger(luck) && typeof cardFingerprint === "string";
  if (!isTold || !isWorld || (refusal !== undefined && !(typeof refusal === "string" && isDeclineReason(refusal)))) return undefined;
  return {
    ...(read as unknown as WorldPayment),
    request: { ...(request as unknown as WorldPayment["request"]), amountMinor: BigInt(String(request["amountMinor"])) },
    refusal,
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const fundings: ReadonlySet<unknown> = new Set(["credit", "debit", "prepaid", "unknown"]);

function isCard(card: Fields): boolean {
  return typeof card["network"] === "string" && typeof card["cardCountry"] === "string" && fundings.has(card["funding"]);
}

function isRequest({ paymentId, merchantId, merchantCountry, amountMinor, currency, needs }: Fields): boolean {
  return (
    [paymentId, merchantId, merchantCountry].every((text) => typeof text === "string") &&
    typeof amountMinor === "string" &&
    /^[1-9]\d{0,11}$/.test(amountMinor) &&
    typeof currency === "string" &&
    isCurrency(currency) &&
    Array.isArray(needs) &&
    needs.every((need) => typeof need === "string")
  );
}
