/** What an operation brings to the skeleton in run-operation.ts, and what it answers. */
import type { ErrorCode } from "@florin/kernel";
import type { CallBudget } from "@florin/runtime/resilience";
import type { Decision, Mode, Origin, Outcome, Payment, Recording, Refusal, Transition } from "../domain/payment/index.ts";
import type { Counter, KeyUse } from "../store/claims.ts";

export type CallerIdentity = {
  readonly merchantId: string;
  readonly mode: Mode;
  readonly origin: Origin;
  /** How long this caller waits. Absent: nobody does. */
  readonly budget?: CallBudget | undefined;
};

export type OperationAnswer =
  | {
      /** `replayed`: an earlier call with this key did it, and this is its answer. */
      readonly kind: "done" | "replayed";
      /** As the operation left it. Absent when nothing was written. */
      readonly payment: Payment | undefined;
      readonly refusal: Refusal | undefined;
      /** The attempt, capture, void or refund; empty when there is none. */
      readonly operationId: string;
    }
  /** Under way, or its outcome is unknown. The payment as it stands, when it is known. */
  | { readonly kind: "in_flight"; readonly payment: Payment | undefined };

export type Operation = {
  /** The idempotency key and what it stands for. */
  readonly use: KeyUse;
  readonly caller: CallerIdentity;
  readonly paymentId: string;
  /** True when this operation makes the payment: there is nothing to load. */
  readonly isNew: boolean;
  /** Velocity counters that ride along with the claim. */
  readonly counters: readonly Counter[];
  /** Told once what was counted, before anything else is done; not called where nothing was. */
  readonly counted?: (counts: readonly number[]) => void;
  /** The intent, or the whole operation when nothing has to be sent. `payment` is absent for a new one. May be asked again after a conflict. */
  readonly decide: (payment: Payment | undefined, context: DecideContext) => Promise<Decision> | Decision;
  /** Sends to the processor. Never rejects. Absent when the decision is the whole operation. */
  readonly send?: (intent: Transition) => Promise<Outcome>;
  /**
   * What to try next after this outcome. Asked before the outcome is recorded, once for each intent. Never rejects, and says at some time that
   * there is nothing more.
   */
  readonly goOn?: (intent: Transition, outcome: Outcome) => Promise<GoneOn>;
  readonly record?: (payment: Payment, operationId: string, outcome: Outcome, goneOn: GoneOn) => Recording;
};

/** `next` undefined: the outcome is the answer. `details`: what the timeline tells of how it went on, or did not. */
export type GoneOn = { readonly next: NextTry | undefined; readonly details: Readonly<Record<string, string>> };

/** Another attempt, with a reference of its own. */
export type NextTry = { readonly attemptId: string; readonly connector: string };

/** `counts`: of the operation's counters; undefined when nothing was counted. */
export type DecideContext = { readonly counts: readonly number[] | undefined; readonly isDegraded: boolean };

export function refused(refusal: Refusal): OperationAnswer {
  return { kind: "done", payment: undefined, refusal, operationId: "" };
}

export function refuseWith(code: ErrorCode, message: string, param?: string): OperationAnswer {
  return refused(param === undefined ? { code, message } : { code, message, param });
}

export function answerOf(kind: "done" | "replayed", { payment, event }: Transition): OperationAnswer {
  return { kind, payment, refusal: event.refusal, operationId: event.operationId };
}
