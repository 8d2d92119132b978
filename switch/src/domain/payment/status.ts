/**
 * Where a payment stands. A status is never set by hand: it follows from the payment's facts (see `statusOf`), and the table in
 * `table.ts` says which steps are allowed.
 */

export const statuses = [
  "created",
  "processing",
  "ambiguous",
  "authorized",
  "declined",
  "partially_captured",
  "captured",
  "voided",
  "expired",
  "partially_refunded",
  "refunded",
] as const;

export type Status = (typeof statuses)[number];

/** Where the money that an issuer holds for us stands, apart from captures and refunds. */
export type Hold = "none" | "requested" | "ambiguous" | "held" | "declined" | "voided" | "expired";

export type StatusFacts = {
  readonly hold: Hold;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  /** Minor units once held and released by a void or by expiry. */
  readonly released: bigint;
};

const statusOfUncaptured: Readonly<Record<Hold, Status>> = {
  none: "created",
  requested: "processing",
  ambiguous: "ambiguous",
  held: "authorized",
  declined: "declined",
  voided: "voided",
  expired: "expired",
};

/** The status that follows from the facts. Money that moved decides first, then the hold. */
export function statusOf(facts: StatusFacts): Status {
  if (facts.captured === 0n) return statusOfUncaptured[facts.hold];
  const isAllTaken = facts.captured + facts.released === facts.authorized;
  if (facts.refunded > 0n) return facts.refunded === facts.captured && isAllTaken ? "refunded" : "partially_refunded";
  return isAllTaken ? "captured" : "partially_captured";
}

const holdOfUncaptured = Object.fromEntries(Object.entries(statusOfUncaptured).map(([hold, status]) => [status, hold])) as Readonly<
  Partial<Record<Status, Hold>>
>;

/** The hold behind a stored payment: the inverse of `statusOf`. Once money was captured, a released rest means the hold is gone. */
export function holdOf(stored: { readonly status: Status; readonly captured: bigint; readonly released: bigint }): Hold {
  if (stored.captured > 0n) return stored.released > 0n ? "voided" : "held";
  return holdOfUncaptured[stored.status] ?? "none";
}
