/** The set of open operations of a payment: what was asked of a processor and has no final outcome yet. */
import type { OpenOperation, OperationKind, Payment } from "./payment.ts";

/** By when an unknown outcome is decided at the latest: the query-backs take half a minute, the settlement file of the next day decides the rest. */
export const unknownResolvesWithinMs = 48 * 60 * 60 * 1000;

export function findOpen(payment: Payment, operationId: string): OpenOperation | undefined {
  return payment.openOperations.find((operation) => operation.id === operationId);
}

export function opened(
  payment: Payment,
  operation: {
    readonly id: string;
    readonly kind: OperationKind;
    readonly amount: bigint;
    readonly connector: string;
    readonly nowMs: number;
  },
): readonly OpenOperation[] {
  return [
    ...payment.openOperations,
    {
      id: operation.id,
      kind: operation.kind,
      amount: operation.amount,
      connector: operation.connector,
      intentSequence: payment.version + 1,
      startedAtMs: operation.nowMs,
      isUnknown: false,
      isAccepted: false,
      isBeingUndone: false,
    },
  ];
}

/** The open operations without this one, and the promise that goes with the unknown ones that are left. */
export function closed(payment: Payment, operationId: string): Pick<Payment, "openOperations" | "resolvesByMs"> {
  const openOperations = payment.openOperations.filter((operation) => operation.id !== operationId);
  return { openOperations, resolvesByMs: openOperations.some((operation) => operation.isUnknown) ? payment.resolvesByMs : 0 };
}

/** The same operations with this one marked. */
export function marked(
  payment: Payment,
  operationId: string,
  mark: Partial<Pick<OpenOperation, "isUnknown" | "isAccepted" | "isBeingUndone">>,
): readonly OpenOperation[] {
  return payment.openOperations.map((operation) => (operation.id === operationId ? { ...operation, ...mark } : operation));
}

/**
 * Cause of the unknown outcome that is recorded before an operation is undone. Who sent it may be alive with a yes in its hands, and undoing takes a
 * while: the log says which of the two came first. After this row only that the processor refuses to undo it makes a yes of it again.
 */
export const beingUndone = "being_undone";

/** Whether it adds to what is known of the operation. */
export function isNews({ isUnknown, isBeingUndone }: OpenOperation, cause: string): boolean {
  return cause === beingUndone ? !isBeingUndone : !isUnknown;
}

/** A processor's yes. `isKept`: it was told to undo the operation, and has refused to. */
export type Yes = { readonly isKept?: boolean | undefined };

/** A yes to what is being undone is worth nothing: the undoing may have come after it. */
export function comesTooLate({ isBeingUndone }: OpenOperation, { isKept = false }: Yes): boolean {
  return isBeingUndone && !isKept;
}

export const tooLate = "it is being undone";

/** Facts of a payment one of whose operations has become unknown. */
export function becameUnknown(
  payment: Payment,
  operationId: string,
  { nowMs, cause }: { readonly nowMs: number; readonly cause: string },
): Pick<Payment, "openOperations" | "resolvesByMs"> {
  return {
    openOperations: marked(payment, operationId, { isUnknown: true, ...(cause === beingUndone && { isBeingUndone: true }) }),
    resolvesByMs: payment.resolvesByMs === 0 ? nowMs + unknownResolvesWithinMs : payment.resolvesByMs,
  };
}

export function isBusyWith(payment: Payment, kind: OperationKind): boolean {
  return payment.openOperations.some((operation) => operation.kind === kind);
}
