/** Compares what merchants were told with the three sets of books of the same run. Pure. */
import type { Answers, Told } from "./answers.ts";
import type { AcquirerPayment, Books, LedgerPayment, LogPayment } from "./books.ts";

/** What a difference means: something told and gone, something done twice, books that disagree, or something that has not ended. */
export type Figure = "lost" | "doubled" | "unbalanced" | "open";

export type Check = {
  readonly name: string;
  readonly figure: Figure;
  /** Payments or calls looked at. */
  readonly compared: number;
  readonly differences: number;
  /** The first few, in words. */
  readonly examples: readonly string[];
};

const examplesMax = 5;

/** Every check over every payment. All differences 0: nothing lost, nothing doubled, nothing invented. */
export function compareRun(answers: Answers, books: Books): readonly Check[] {
  const own = [...books.log].filter(([, payment]) => payment.isOfRun);
  return [
    check(
      "lost",
      "accepted authorizations are in the log",
      [...answers.payments].filter(([, told]) => told.authorized > 0),
      ([id, told]) => acceptedAuthorization(told, books.log.get(id)),
    ),
    check("lost", "accepted captures and refunds are in the log", [...answers.payments], ([id, told]) =>
      acceptedMovements(told, books.log.get(id)),
    ),
    check("open", "nothing in the log is open", own, ([, payment]) =>
      payment.isOpen ? `is ${payment.status} with an open operation` : undefined,
    ),
    check("unbalanced", "the log and the acquirer agree", own, ([id, payment]) => sameAsAcquirer(payment, books.acquirer.get(id))),
    check("doubled", "the acquirer charged at most once", [...books.acquirer], ([, payment]) =>
      payment.charges > 1 ? `has ${payment.charges} charges` : undefined,
    ),
    check("unbalanced", "every charge of the acquirer is in the log", [...books.acquirer], ([id, payment]) =>
      payment.authorized > 0 && !books.log.has(id) ? "is unknown to the log" : undefined,
    ),
    check("unbalanced", "the log and the ledger agree", own, ([id, payment]) => sameAsLedger(payment, books.ledger.get(id))),
  ];
}

/** `payments` by their ids, or other things by their names. */
export function check<Value>(
  figure: Figure,
  name: string,
  payments: readonly (readonly [string, Value])[],
  differs: (payment: readonly [string, Value]) => string | undefined,
): Check {
  const examples: string[] = [];
  let differences = 0;
  for (const payment of payments) {
    const difference = differs(payment);
    if (difference === undefined) continue;
    differences += 1;
    if (examples.length < examplesMax) examples.push(`${payment[0]} ${difference}`);
  }
  return { name, figure, compared: payments.length, differences, examples };
}

function acceptedAuthorization(told: Told, found: LogPayment | undefined): string | undefined {
  if (found === undefined) return "is not in the log";
  return found.authorized === told.authorized ? undefined : `was accepted for ${told.authorized}, the log has ${found.authorized}`;
}

/** What was accepted must be there; what was unsure may be there besides, and nothing else. */
function acceptedMovements(told: Told, found: LogPayment | undefined): string | undefined {
  if (found === undefined) return told.captures + told.refunds === 0 ? undefined : "is not in the log";
  const isCaptureRight = found.captured >= told.captured && found.captured <= told.captured + told.unsureCaptured;
  if (!isCaptureRight) return `was told ${told.captured} captured (${told.unsureCaptured} unsure), the log has ${found.captured}`;
  const isRefundRight = found.refunded >= told.refunded && found.refunded <= told.refunded + told.unsureRefunded;
  return isRefundRight ? undefined : `was told ${told.refunded} refunded (${told.unsureRefunded} unsure), the log has ${found.refunded}`;
}

function sameAsAcquirer(payment: LogPayment, acquirer: AcquirerPayment | undefined): string | undefined {
  const { authorized = 0, captured = 0, refunded = 0, released = 0 } = acquirer ?? {};
  const isSame =
    payment.authorized === authorized && payment.captured === captured && payment.refunded === refunded && payment.released === released;
  const ours = `${payment.authorized}/${payment.captured}/${payment.refunded}/${payment.released}`;
  return isSame
    ? undefined
    : `authorized/captured/refunded/released: log ${ours}, acquirer ${authorized}/${captured}/${refunded}/${released}`;
}

function sameAsLedger(payment: LogPayment, ledger: LedgerPayment | undefined): string | undefined {
  const { posted = 0, refunded = 0, outstanding = 0 } = ledger ?? {};
  const open = payment.authorized - payment.captured - payment.released;
  if (posted === payment.captured && refunded === payment.refunded && outstanding === open) return undefined;
  return `captured/refunded/held: log ${payment.captured}/${payment.refunded}/${open}, ledger ${posted}/${refunded}/${outstanding}`;
}
