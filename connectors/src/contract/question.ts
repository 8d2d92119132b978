/**
 * What is asked about an earlier operation: all that an answer to it has to say.
 *
 * A report that was not believed when the operation was sent, because it is about another amount, comes again when the processor is asked. It is
 * no better then: without amount and currency a question would make an approval of it.
 */
import { required } from "@florin/kernel";

export type OperationKind = "authorization" | "capture" | "void" | "refund";

export type Question = {
  /** Our reference of the operation. */
  readonly reference: string;
  readonly kind: OperationKind;
  /** Minor units that it was sent with. Undefined: it was sent without (a void), or whoever asks does not say. */
  readonly amount: bigint | undefined;
  /** ISO 4217; undefined where the amount is. */
  readonly currency: string | undefined;
};

const kindsByPrefix: Readonly<Record<string, OperationKind>> = { att: "authorization", cap: "capture", voi: "void", ref: "refund" };

/** `reference`: of an operation, and checked where it came in. */
export function operationKindOf(reference: string): OperationKind {
  return required(kindsByPrefix[reference.slice(0, 3)], "the kind of a checked reference");
}
