/**
 * Totals as messages of ISO 8583:1987. Pure.
 *
 * 0500 asks about a window; 0520 tells the processor ours when the question stayed without an answer, 0521 tells it again. DE 74 to 77 and 81 are
 * counts, 86 to 89 sums, 50 the currency, 66 in the answer whether both are the same (1) or not (2). DE 48 names the window, from (05) and until (06),
 * by transmission times (DE 7).
 */
import { createHash } from "node:crypto";
import type { FieldValue, IsoMessage } from "../codec/message.ts";
import { transmissionTime } from "../link/network-messages.ts";
import { formatStan } from "../link/trace-numbers.ts";
import { writePrivateData } from "./private-data.ts";
import { noSums, type OwnTotals, type Sums, type TotalsKind, totalsKinds, type Window } from "./totals.ts";

const countFields: Readonly<Record<TotalsKind, number>> = {
  credit: 74,
  credit_reversal: 75,
  debit: 76,
  debit_reversal: 77,
  authorization: 81,
};
const sumFields: Readonly<Partial<Record<TotalsKind, number>>> = { credit: 86, credit_reversal: 87, debit: 88, debit_reversal: 89 };
const currencyField = 50;
const countDigits = 10;
const sumDigits = 16;
const stanCount = 999_999;
const acceptedCode = "00";

/** `attempt`: from 0. The same window makes the same message, but for its type. */
export function totalsMessage(acquirerId: string, totals: OwnTotals, attempt: number): IsoMessage {
  const { terminal, currency, fromMs, untilMs, approved } = totals;
  const digest = createHash("sha256").update(`totals ${terminal} ${currency} ${fromMs}`).digest();
  const fields = new Map<number, FieldValue>([
    [7, transmissionTime(untilMs)],
    [11, formatStan(1 + (digest.readUInt32BE(0) % stanCount))],
    [32, acquirerId],
    [41, terminal],
    [48, windowData(totals)],
    [currencyField, currency],
  ]);
  for (const kind of totalsKinds) {
    fields.set(countFields[kind], String(approved[kind].count).padStart(countDigits, "0"));
    const sumField = sumFields[kind];
    if (sumField !== undefined) fields.set(sumField, String(approved[kind].amount).padStart(sumDigits, "0"));
  }
  return { mti: ["0500", "0520"][attempt] ?? "0521", fields };
}

function windowData({ fromMs, untilMs }: Window) {
  return writePrivateData([
    { tag: "05", value: transmissionTime(fromMs) },
    { tag: "06", value: transmissionTime(untilMs) },
  ]);
}

/** What the processor has; undefined when it does not say, or says it of something else. */
export function readTotals(request: IsoMessage, reply: IsoMessage): Sums | undefined {
  if (reply.fields.get(39) !== acceptedCode) return undefined;
  for (const field of [41, currencyField]) if (reply.fields.get(field) !== request.fields.get(field)) return undefined;
  let sums = noSums;
  for (const kind of totalsKinds) {
    const [count, amount] = [numberIn(reply, countFields[kind]), numberIn(reply, sumFields[kind])];
    if (count === undefined || amount === undefined) return undefined;
    sums = { ...sums, [kind]: { count: Number(count), amount } };
  }
  return sums;
}

/** 0 where there is no such field in any message; undefined where it is missing in this one. */
function numberIn({ fields }: IsoMessage, field: number | undefined): bigint | undefined {
  if (field === undefined) return 0n;
  const text = fields.get(field);
  return typeof text === "string" && /^\d+$/.test(text) ? BigInt(text) : undefined;
}
