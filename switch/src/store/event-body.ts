/**
 * The body of a log row: a payment and the event that led to it, as an encoded florin.events.v1.PaymentEvent.
 *
 * The relay passes these bytes on untouched, so what a consumer reads is what was committed.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { PaymentEventSchema, type PaymentEvent as WireEvent } from "@florin/gen/events/v1/events";
import { PaymentStatus } from "@florin/gen/payments/v1/payments";
import { assert, type ErrorCode, isErrorCode, required } from "@florin/kernel";
import { createBatchEncoder } from "@florin/runtime/frames";
import {
  type EventType,
  eventTypes,
  type OpenOperation,
  type OperationKind,
  type PaymentEvent,
  type Refusal,
  type Transition,
} from "../domain/payment/index.ts";
import { paymentFromWire, paymentToWire, statusFromWire, wireStatus } from "../wire.ts";

const encoder = createBatchEncoder(PaymentEventSchema);
const traceparentField = PaymentEventSchema.field.traceparent.number;
const knownTypes: ReadonlySet<string> = new Set(eventTypes);

/** The bodies of a batch, at a fifth of the price of one by one. An Error where one cannot be encoded: that is a bug of ours. */
export function encodeTransitions(transitions: readonly Transition[]): readonly (Uint8Array | Error)[] {
  return encoder.encodeAll(transitions.map(toWire));
}

function toWire({ payment, event }: Transition): WireEvent {
  const { before, refusal, origin } = event;
  return {
    $typeName: "florin.events.v1.PaymentEvent",
    type: event.type,
    payment: paymentToWire(payment),
    statusBefore: before === undefined ? PaymentStatus.UNSPECIFIED : wireStatus[before.status],
    amount: event.amount,
    operationId: event.operationId,
    actor: origin.actor,
    requestId: origin.requestId,
    traceparent: origin.traceparent,
    occurredAtMs: BigInt(event.occurredAtMs),
    details: event.details as Record<string, string>,
    openOperations: payment.openOperations.map(openToWire),
    ...(before && { amountsBefore: { $typeName: "florin.payments.v1.Amounts", ...before.totals } }),
    ...(refusal && { refusal: refusalToWire(refusal) }),
  };
}

/** The traceparent in a row, without decoding the rest; empty when its request was not traced, and for no row. */
export function traceparentIn(body: Uint8Array | undefined): string {
  const reader = new BinaryReader(body ?? new Uint8Array());
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === traceparentField) return reader.string();
    reader.skip(wireType, field);
  }
  return "";
}

/** A row back in the domain's words. What does not decode is a bug: we wrote it. */
export function decodeTransition(body: Uint8Array): Transition {
  const wire = fromBinary(PaymentEventSchema, body);
  const payment = paymentFromWire(required(wire.payment, "the payment of a log row"), wire.openOperations.map(openFromWire));
  return { payment, event: eventFromWire(wire, payment.version) };
}

function eventFromWire(wire: WireEvent, sequence: number): PaymentEvent {
  const before = wire.amountsBefore;
  return {
    type: eventTypeOf(wire.type),
    sequence,
    occurredAtMs: Number(wire.occurredAtMs),
    origin: { actor: wire.actor, requestId: wire.requestId, traceparent: wire.traceparent },
    operationId: wire.operationId,
    amount: wire.amount,
    before: before && {
      status: required(statusFromWire(wire.statusBefore), "the status before"),
      totals: { authorized: before.authorized, captured: before.captured, refunded: before.refunded },
    },
    details: wire.details,
    refusal: wire.refusal && refusalFromWire(wire.refusal),
  };
}

function eventTypeOf(type: string): EventType {
  assert(knownTypes.has(type), "the type of a stored event is known");
  return type as EventType;
}

type WireRefusal = NonNullable<WireEvent["refusal"]>;

function refusalToWire({ code, message, declineCode, param }: Refusal): WireRefusal {
  return { $typeName: "florin.payments.v1.Refusal", code, message, declineCode: declineCode ?? "", param: param ?? "" };
}

function refusalFromWire(wire: WireRefusal): Refusal {
  const code: ErrorCode = isErrorCode(wire.code) ? wire.code : "internal";
  const declineCode = wire.declineCode === "do_not_retry" ? "do_not_retry" : "retry_allowed";
  return { code, message: wire.message, ...(wire.declineCode !== "" && { declineCode }), ...(wire.param !== "" && { param: wire.param }) };
}

type WireOperation = WireEvent["openOperations"][number];

function openToWire(operation: OpenOperation): WireOperation {
  return {
    $typeName: "florin.events.v1.OpenOperation",
    id: operation.id,
    kind: operation.kind,
    amount: operation.amount,
    connector: operation.connector,
    intentSequence: operation.intentSequence,
    startedAtMs: BigInt(operation.startedAtMs),
    unknown: operation.isUnknown,
    accepted: operation.isAccepted,
    beingUndone: operation.isBeingUndone,
  };
}

function openFromWire(wire: WireOperation): OpenOperation {
  return {
    id: wire.id,
    kind: wire.kind as OperationKind,
    amount: wire.amount,
    connector: wire.connector,
    intentSequence: wire.intentSequence,
    startedAtMs: Number(wire.startedAtMs),
    isUnknown: wire.unknown,
    isAccepted: wire.accepted,
    isBeingUndone: wire.beingUndone,
  };
}
