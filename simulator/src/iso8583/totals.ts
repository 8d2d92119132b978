/**
 * Totals of a terminal: what stands in the journal, and the answer to 0500 (a question) and 0520, 0521 (the caller's own sums, told). Pure.
 *
 * DE 48 names the window, from (05) and until (06), by transmission times; DE 50 the currency. The answer has the host's own counts (74 to 77, 81) and
 * sums (86 to 89), and in DE 66 whether they are the caller's: 1, or 2 where they are not.
 */
import type { JournalEntry, JournalKind, JournalSum, JournalWindow } from "../store/terminal-journal.ts";
import { journalKinds } from "../store/terminal-journal.ts";
import { currencyByNumber, type HostRequest, readElements } from "./read-request.ts";
import type { HostMessage } from "./wire.ts";
import { codes, replyTo } from "./write-reply.ts";

const fieldsOf: Readonly<Record<JournalKind, { readonly count: number; readonly amount: number | undefined }>> = {
  credit: { count: 74, amount: 86 },
  credit_reversal: { count: 75, amount: 87 },
  debit: { count: 76, amount: 88 },
  debit_reversal: { count: 77, amount: 89 },
  authorization: { count: 81, amount: undefined },
};
const balanced = "1";
const outOfBalance = "2";

export function isAboutTotals({ mti }: HostMessage): boolean {
  return mti.startsWith("050") || mti.startsWith("052");
}

/** Undefined: a void, or a reversal of what moved no money. */
export function journalEntryOf(
  message: HostMessage,
  { kind: what, request }: HostRequest,
  originalMti: string | undefined,
): JournalEntry | undefined {
  const kind = journalKindOf(message, what, originalMti);
  const [terminal, transmission] = [message.fields.get(41), message.fields.get(7)];
  if (kind === undefined || terminal === undefined || transmission === undefined) return undefined;
  const { reference, amount, currency } = request;
  return { reference, terminal, currency, kind, amount: kind === "authorization" ? 0n : amount, transmission };
}

function journalKindOf(message: HostMessage, what: HostRequest["kind"], originalMti = ""): JournalKind | undefined {
  const isRefund = message.fields.get(3)?.startsWith("20") === true;
  if (what === "authorization") return message.mti.startsWith("02") ? "debit" : "authorization";
  if (what === "movement") return message.mti.startsWith("04") ? undefined : isRefund ? "credit" : "debit";
  if (!originalMti.startsWith("02")) return undefined;
  return isRefund ? "credit_reversal" : "debit_reversal";
}

/** Undefined: something is missing. */
export function windowOf({ fields }: HostMessage): JournalWindow | undefined {
  const elements = readElements(fields.get(48) ?? "");
  const [from, until, terminal] = [elements?.get("05"), elements?.get("06"), fields.get(41)];
  const currency = currencyByNumber.get(fields.get(50) ?? "");
  return from === undefined || until === undefined || terminal === undefined || currency === undefined
    ? undefined
    : { terminal, currency, from, until };
}

export function totalsReply(message: HostMessage, sums: readonly JournalSum[]): HostMessage {
  const own = new Map<number, string>();
  for (const kind of journalKinds) {
    const sum = sums.find((one) => one.kind === kind);
    const { count, amount } = fieldsOf[kind];
    own.set(count, String(sum?.count ?? 0).padStart(10, "0"));
    if (amount !== undefined) own.set(amount, String(sum?.amount ?? 0n).padStart(16, "0"));
  }
  const isSame = [...own].every(([field, text]) => message.fields.get(field) === text);
  const currency = message.fields.get(50) ?? "";
  return replyTo(message, codes.accepted, new Map([...own, [50, currency], [66, isSame ? balanced : outOfBalance]]));
}
