/** What is known of a run when it is over, by four witnesses: the committed log, the acquirer, the merchants, the ledger. Values only. */

export type Kind = "authorize" | "capture" | "void" | "refund";

/** One row of the log. `label`: merchant and key of the request that made an intent; empty on rows of workers. */
export type LogRow = {
  readonly paymentId: string;
  readonly merchantId: string;
  readonly sequence: number;
  readonly position: bigint;
  readonly type: string;
  readonly operationId: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly label: string;
  readonly totals: { readonly authorized: bigint; readonly captured: bigint; readonly refunded: bigint; readonly released: bigint };
  readonly openOperations: readonly { readonly id: string; readonly isUnknown: boolean; readonly isAccepted: boolean }[];
  readonly resolvesByMs: number;
  /** Of an attempt that went on to another processor: the attempt before it. Empty otherwise. */
  readonly follows: string;
  /** Of a reversal: what it undoes. Empty otherwise. */
  readonly undoes: string;
  /** Merchant and reference of a payment that shall be the only one with it; empty on others. */
  readonly uniqueReference: string;
  /** Made while the cache gave no answer, and does not say so. */
  readonly isUnmarked: boolean;
};

/** What the acquirer did under one reference. `refund`s may be accepted and not decided yet, or have failed after all. */
export type Effect = {
  readonly kind: Kind;
  readonly reference: string;
  readonly amount: bigint;
  readonly isApproved: boolean;
  readonly state: "final" | "accepted" | "failed";
  /** Undone at the acquirer, by a reversal of ours. */
  readonly isReversed: boolean;
};

/** What a merchant was told of one key, as often as it was told. `version`: of the row that answers; 0 when nothing was written. */
export type Told = {
  readonly label: string;
  /** Which of the bodies that were sent under the key. */
  readonly body: number;
  readonly kind: Kind | "create";
  readonly isRefused: boolean;
  readonly code: string;
  readonly paymentId: string;
  readonly version: number;
  readonly operationId: string;
};

export type Sums = {
  readonly debitsPosted: bigint;
  readonly creditsPosted: bigint;
  readonly debitsPending: bigint;
  readonly creditsPending: bigint;
};

export type History = {
  readonly log: readonly LogRow[];
  readonly effects: readonly Effect[];
  readonly told: readonly Told[];
  /** Nothing can be asked of the acquirer: a refund that it has accepted stays so until its file comes. */
  readonly awaitsFile: boolean;
  /** Balances of the ledger by "merchant currency" for payables, and by currency for what the acquirer owes. */
  readonly payables: ReadonlyMap<string, Sums>;
  readonly receivables: ReadonlyMap<string, Sums>;
};
