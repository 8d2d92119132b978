/**
 * Faults by rule: which operation, which fault, how often. Pure.
 *
 * The word before or after in a name is about the books: "after" faults have booked the operation, whatever the caller sees.
 */

export const faults = {
  timeout_before_charge: "books nothing and never answers; the connection is cut after delay_ms (60,000)",
  timeout_after_charge: "books the operation and never answers; the connection is cut after delay_ms (60,000)",
  reset_after_approval: "books the operation, then resets the connection instead of answering",
  duplicate_answer: "books the operation and sends the answer twice on the same connection",
  garbage: "books the operation and answers 200 with bytes that are no JSON",
  outage: "books nothing and answers 503",
  slow_drip: "books the operation and sends the answer byte by byte, delay_ms (50) apart",
  unmapped_code: "books the operation and answers with a status and a code that no documentation lists",
  denied_query: "books as usual; a query is told that there is no such operation, whatever the books say",
  wrong_mac: "ISO 8583 only: books the operation and answers with a wrong authentication code",
  malfunction: "ISO 8583 only: books nothing and answers 96, as a host that works again in a moment",
  malfunction_after_charge: "ISO 8583 only: books the operation and answers 96, as a host that broke down after its booking",
  turned_away: "ISO 8583 only: books nothing and answers 63, as a host whose keys are wrong for a moment",
  no_original: "ISO 8583 only: books nothing and answers 25, as a host that has not got the original yet",
  delay: "books the operation and answers delay_ms (1,000) later than usual",
  callback_first: "simlater only: calls back, and answers the order afterwards",
  callback_only: "simlater only: resets the connection instead of answering the order, and calls back",
  callback_late: "simlater only: calls back delay_ms (5,000) later than usual",
  callback_twice: "simlater only: calls back twice with the same event",
  callback_never: "simlater only: does not call back",
  callback_forged: "simlater only: calls back once, with a wrong signature",
  callback_shuffled: "simlater only: calls back with an event that decides nothing before and after the one that does",
} as const;

export type Fault = keyof typeof faults;
/** What befalls callbacks: of an acquirer that makes none a rule keeps its turns. */
export type CallbackFault = Extract<Fault, `callback_${string}`>;

/** What only messages of ISO 8583 can have: over HTTP a rule keeps its turns. */
const iso8583Faults = [
  "wrong_mac",
  "malfunction",
  "malfunction_after_charge",
  "turned_away",
  "no_original",
] as const satisfies readonly Fault[];
export type Iso8583Fault = (typeof iso8583Faults)[number];

export function isFault(value: string): value is Fault {
  return Object.hasOwn(faults, value);
}

export function isCallbackFault(fault: Fault): fault is CallbackFault {
  return fault.startsWith("callback_");
}

export function isIso8583Fault(fault: Fault): fault is Iso8583Fault {
  return (iso8583Faults as readonly Fault[]).includes(fault);
}

export const operationNames = ["authorization", "capture", "void", "refund", "reversal", "query"] as const;
export type OperationName = (typeof operationNames)[number];

/** Facts of one request that rules look at. */
export type RequestFacts = {
  readonly operation: OperationName;
  readonly reference: string;
  readonly merchantId: string;
  readonly paymentId: string;
  readonly merchantReference: string;
  readonly amount: number;
  readonly currency: string;
  readonly cardLast4: string;
};

/** Every field that is given must fit; an empty match fits everything. */
export type RuleMatch = {
  readonly operation?: OperationName;
  readonly card_last4?: string;
  readonly amount?: number;
  readonly currency?: string;
  readonly reference_prefix?: string;
  readonly merchant_id?: string;
  readonly payment_id?: string;
  readonly merchant_reference?: string;
};

export function fits(match: RuleMatch, facts: RequestFacts): boolean {
  return (
    (match.operation === undefined || match.operation === facts.operation) &&
    (match.card_last4 === undefined || match.card_last4 === facts.cardLast4) &&
    (match.amount === undefined || match.amount === facts.amount) &&
    (match.currency === undefined || match.currency === facts.currency) &&
    (match.reference_prefix === undefined || facts.reference.startsWith(match.reference_prefix)) &&
    (match.merchant_id === undefined || match.merchant_id === facts.merchantId) &&
    (match.payment_id === undefined || match.payment_id === facts.paymentId) &&
    (match.merchant_reference === undefined || match.merchant_reference === facts.merchantReference)
  );
}
