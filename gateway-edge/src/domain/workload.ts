/**
 * What kind of work an operation is, for admission: in this order work is sent away as more is in flight (R94).
 *
 * A read can wait: the payment is in the log. A capture can wait for days. A refund, and the release of a hold, is money that a payer waits for.
 * An authorization has a payer at the till, and is the last to go.
 */
export const workloads = ["read", "capture", "refund", "authorize"] as const;
export type Workload = (typeof workloads)[number];

/** Operations of REST and of Connect, by the names that they have in routes, metrics and the contract. */
export const workloadOf = {
  createPayment: "authorize",
  authorizeNewPayment: "authorize",
  authorizePayment: "authorize",
  capturePayment: "capture",
  voidPayment: "refund",
  refundPayment: "refund",
  getPayment: "read",
  listPayments: "read",
  listPaymentEvents: "read",
  getPaymentRouting: "read",
  getToken: "read",
  // No payment waits for it, and it is safe to repeat.
  deleteToken: "read",
} as const satisfies Readonly<Record<string, Workload>>;

export type WorkName = keyof typeof workloadOf;

export function isWorkName(name: string): name is WorkName {
  return Object.hasOwn(workloadOf, name);
}
