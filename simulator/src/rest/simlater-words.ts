/**
 * What simlater says about an operation: other names, other words and other codes than simpay, and amounts as decimal strings. Pure.
 *
 * The books are the same; only here are they put into this acquirer's words.
 */
import { currencyDecimals, isCurrency, unreachable } from "@florin/kernel";
import { type OperationKind, type OperationStatus, type OperationView, parseProcessorId } from "../domain/operation.ts";
import { isResponseCode, type ResponseCode } from "../domain/response-code.ts";

export type Total = { readonly value: string; readonly ccy: string };

/** In answers to questions and in callbacks. */
export type Report = {
  readonly orderRef: string;
  readonly ticket: string;
  readonly step: Step;
  readonly verdict: Verdict;
  readonly why: string;
  readonly approval: string;
  readonly addressCheck: string;
  readonly codeCheck: string;
  readonly total: Total;
};

export type Step = (typeof steps)[OperationKind];
type Verdict = (typeof verdicts)[OperationStatus] | "PROCESSING" | "REFERRED";

const steps = { authorization: "ORDER", capture: "CLEAR", void: "RELEASE", refund: "RETURN", reversal: "CANCEL" } as const;
const verdicts = {
  approved: "GRANTED",
  declined: "REFUSED",
  pending: "QUEUED",
  succeeded: "PAID_OUT",
  failed: "BOUNCED",
  reversed: "CANCELLED",
} as const satisfies Record<OperationStatus, string>;

const reasons: Readonly<Record<ResponseCode, string>> = {
  "00": "FINE",
  "05": "ISSUER_SAYS_NO",
  "12": "STEP_IMPOSSIBLE",
  "13": "TOTAL_IMPOSSIBLE",
  "14": "NO_SUCH_INSTRUMENT",
  "19": "TRY_AGAIN",
  "41": "INSTRUMENT_LOST",
  "43": "INSTRUMENT_STOLEN",
  "46": "ACCOUNT_CLOSED",
  "51": "NOT_ENOUGH_FUNDS",
  "54": "INSTRUMENT_EXPIRED",
  // No PIN comes this way; the books know the code from another one.
  "55": "PAYER_MUST_PROVE",
  "59": "FRAUD_SUSPECTED",
  "91": "ISSUER_AWAY",
  "96": "ISSUER_FAILED",
  "1A": "PAYER_MUST_PROVE",
  N7: "CODE_WRONG",
};
const checks: Readonly<Record<string, string>> = { match: "Y", mismatch: "N", partial: "P", unavailable: "U" };

/** `orderRef`: the caller's, which a repeated order has too. */
export function reportOf(view: OperationView, orderRef: string): Report {
  return {
    orderRef,
    ticket: ticketOf(view.id),
    step: steps[view.operation],
    verdict: verdicts[view.status],
    why: isResponseCode(view.response_code) ? reasons[view.response_code] : unreachable(view.response_code as never),
    approval: view.auth_code,
    addressCheck: checks[view.avs] ?? "",
    codeCheck: checks[view.cvv] ?? "",
    total: { value: formatAmount(BigInt(view.amount), view.currency), ccy: view.currency },
  };
}

/** The same before anything is decided. */
export function processing(report: Report): Report {
  return { ...report, verdict: "PROCESSING", why: "", approval: "", addressCheck: "", codeCheck: "" };
}

/** A word that no documentation has. */
export function unlisted(report: Report): Report {
  return { ...report, verdict: "REFERRED", why: "SEE_BRANCH", approval: "" };
}

export function kindOfStep(step: string): OperationKind | undefined {
  return (Object.keys(steps) as OperationKind[]).find((kind) => steps[kind] === step);
}

/** "sl_000000000042" is what simpay calls "sp_000000000042". */
export function ticketOf(processorId: string): string {
  return processorId.replace(/^sp_/, "sl_");
}

/** Undefined for text that is no ticket: then it is one of the caller's own references. */
export function operationIdOf(ticket: string): bigint | undefined {
  return parseProcessorId(ticket.replace(/^sl_/, "sp_"));
}

/** "10.00" EUR, "10" JPY, "10.000" BHD. */
export function formatAmount(amountMinor: bigint, currency: string): string {
  const decimals = currencyDecimals(currency);
  const digits = String(amountMinor).padStart(decimals + 1, "0");
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** Minor units; undefined for anything but an amount of this currency with exactly its decimals, 1 to 999,999,999,999 minor units. */
export function parseAmount({ value, ccy }: Total): bigint | undefined {
  if (!isCurrency(ccy)) return undefined;
  const decimals = currencyDecimals(ccy);
  const parts = /^(0|[1-9]\d{0,11})(?:\.(\d{1,4}))?$/.exec(value);
  if (parts === null || (parts[2] ?? "").length !== decimals) return undefined;
  const amount = BigInt(`${parts[1]}${parts[2] ?? ""}`);
  return amount >= 1n && amount <= 999_999_999_999n ? amount : undefined;
}
