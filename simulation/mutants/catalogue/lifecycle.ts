/** What may happen to a payment, and what it makes of its totals. */
import type { Mutant } from "../mutant.ts";

const domain = "switch/src/domain/payment";

export const lifecycleMutants: readonly Mutant[] = [
  {
    name: "capture-pending-not-counted",
    about: "captures under way do not reserve their amounts",
    file: `${domain}/payment.ts`,
    find: "return payment.authorized - payment.captured - payment.capturePending - payment.released;",
    replace: "return payment.authorized - payment.captured - payment.released;",
  },
  {
    name: "refund-pending-not-counted",
    about: "refunds under way do not reserve their amounts",
    file: `${domain}/payment.ts`,
    find: "return payment.captured - payment.refunded - payment.refundPending;",
    replace: "return payment.captured - payment.refunded;",
  },
  {
    name: "void-beside-a-capture",
    about: "a hold is voided while a capture of it is under way",
    file: `${domain}/void.ts`,
    find: `if (isBusyWith(payment, "void") || isBusyWith(payment, "capture"))`,
    replace: `if (isBusyWith(payment, "void"))`,
  },
  {
    name: "capture-beside-a-void",
    about: "money is captured while a void of its hold is under way",
    file: `${domain}/capture.ts`,
    find: `  if (isBusyWith(payment, "void")) return refuse("payment_busy", "a void of this payment is under way");\n`,
    replace: "",
  },
  {
    name: "expiry-beside-a-capture",
    about: "a hold expires while a capture or void of it is under way",
    file: `${domain}/expire.ts`,
    find: `operation.kind !== "refund" && operation.kind !== "reversal"))`,
    replace: `operation.kind === "authorize"))`,
  },
  {
    name: "void-forgets-the-release",
    about: "a void does not count what it releases",
    file: `${domain}/void.ts`,
    find: "released: payment.released + operation.amount, authorizationExpiresAtMs: 0 };",
    replace: "released: payment.released, authorizationExpiresAtMs: 0 };",
  },
  {
    name: "failed-capture-keeps-its-amount",
    about: "a failed capture does not give back what it reserved",
    file: `${domain}/capture.ts`,
    find: `const facts: Facts = { ...done, capturePending, captures: withStatus(payment, answer.captureId, "failed", context.nowMs) };`,
    replace: `const facts: Facts = { ...done, captures: withStatus(payment, answer.captureId, "failed", context.nowMs) };`,
  },
  {
    name: "refund-counted-twice",
    about: "a refund counts when it is accepted, and again when it succeeds",
    file: `${domain}/refund.ts`,
    find: "  const accepted: Facts = operation.isAccepted\n    ? {}\n",
    replace: "  const accepted: Facts = operation.isAccepted\n    ? { refunded: payment.refunded + operation.amount }\n",
  },
  {
    name: "failed-refund-stays-refunded",
    about: "a refund that fails after it was accepted is not given back",
    file: `${domain}/refund.ts`,
    find: "    ? { refunded: payment.refunded - operation.amount }\n",
    replace: "    ? {}\n",
  },
  {
    name: "partial-capture-takes-all",
    about: "a partial capture is counted with the whole authorized amount",
    file: `${domain}/capture.ts`,
    find: "captured: payment.captured + amount,",
    replace: "captured: payment.authorized - payment.released,",
  },
  {
    name: "unknown-without-a-promise",
    about: "an unknown outcome does not say by when it will be decided",
    file: `${domain}/operation.ts`,
    find: "resolvesByMs: payment.resolvesByMs === 0 ? nowMs + unknownResolvesWithinMs : payment.resolvesByMs,",
    replace: "resolvesByMs: nowMs > 0 ? 0 : payment.resolvesByMs,",
  },
];
