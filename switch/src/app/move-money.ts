/** Capture, void and refund: operations on a payment that exists. */
import { type IdKind, makeId, required } from "@florin/kernel";
import {
  type Decision,
  type Outcome,
  type Payment,
  type Recording,
  recordCapture,
  recordRefund,
  recordVoid,
  requestCapture,
  requestRefund,
  requestVoid,
  type Transition,
} from "../domain/payment/index.ts";
import type { CallerIdentity, OperationAnswer } from "./operation.ts";
import type { Parts } from "./parts.ts";
import { requestHash } from "./request-hash.ts";
import { runOperation } from "./run-operation.ts";

export type MoveCommand = { readonly caller: CallerIdentity; readonly idempotencyKey: string; readonly paymentId: string };
export type CaptureCommand = MoveCommand & { /** Minor units; absent: all that remains. */ readonly amount: bigint | undefined };
export type RefundCommand = MoveCommand & {
  /** Minor units; absent: all that is left (P7). */ readonly amount: bigint | undefined;
  readonly reason: string;
};

export function capturePayment(parts: Parts, command: CaptureCommand): Promise<OperationAnswer> {
  return move(parts, command, {
    name: "capture",
    idKind: "capture",
    parameters: [command.amount],
    decide: (payment, captureId, context) => requestCapture(payment, { captureId, amount: command.amount }, context),
    send: ({ payment, event }, traceparent) =>
      parts.connectors.capture(payment, { id: event.operationId, amount: event.amount, traceparent, budget: command.caller.budget }),
    record: (payment, captureId, outcome, context) => recordCapture(payment, { captureId, outcome }, context),
  });
}

export function voidPayment(parts: Parts, command: MoveCommand): Promise<OperationAnswer> {
  return move(parts, command, {
    name: "void",
    idKind: "void",
    parameters: [],
    decide: (payment, voidId, context) => requestVoid(payment, { voidId }, context),
    send: ({ payment, event }, traceparent) =>
      parts.connectors.void(payment, { id: event.operationId, traceparent, budget: command.caller.budget }),
    record: (payment, voidId, outcome, context) => recordVoid(payment, { voidId, outcome }, context),
  });
}

export function refundPayment(parts: Parts, command: RefundCommand): Promise<OperationAnswer> {
  return move(parts, command, {
    name: "refund",
    idKind: "refund",
    parameters: [command.amount, command.reason],
    decide: (payment, refundId, context) => requestRefund(payment, { refundId, amount: command.amount, reason: command.reason }, context),
    send: ({ payment, event }, traceparent) => {
      const { reason, caller } = command;
      return parts.connectors.refund(payment, { id: event.operationId, amount: event.amount, reason, traceparent, budget: caller.budget });
    },
    record: (payment, refundId, outcome, context) => recordRefund(payment, { refundId, outcome }, context),
  });
}

type Context = { readonly nowMs: number; readonly origin: CallerIdentity["origin"] };

type Move = {
  readonly name: "capture" | "void" | "refund";
  readonly idKind: IdKind;
  readonly parameters: readonly (string | bigint | undefined)[];
  readonly decide: (payment: Payment, operationId: string, context: Context) => Decision;
  readonly send: (intent: Transition, traceparent: string) => Promise<Outcome>;
  readonly record: (payment: Payment, operationId: string, outcome: Outcome, context: Context) => Recording;
};

function move(parts: Parts, command: MoveCommand, o: Move): Promise<OperationAnswer> {
  const { caller, paymentId } = command;
  const { origin, merchantId, mode } = caller;
  const operationId = makeId(o.idKind, parts.now(), parts.random(10));
  const hash = requestHash(o.name, [paymentId, ...o.parameters]);
  return runOperation(parts, {
    use: { merchantId, mode, key: command.idempotencyKey, requestHash: hash },
    caller,
    paymentId,
    isNew: false,
    counters: [],
    decide: (payment) => o.decide(required(payment, "payment"), operationId, { nowMs: parts.now(), origin }),
    send: (intent) => {
      const sent = o.send(intent, origin.traceparent);
      parts.crashAt("after_send");
      return sent;
    },
    record: (payment, id, outcome) => o.record(payment, id, outcome, { nowMs: parts.now(), origin }),
  });
}
