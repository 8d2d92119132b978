/**
 * Reads from an event's bytes what the books need, and skips the rest.
 *
 * A whole PaymentEvent carries the payment with its card, metadata and operations; decoding all of it costs more than posting does
 * (bench/decode.ts). Half of all events (the intents) move no money: of those only the type, the first field, is read. The reader is
 * protobuf's own; the field numbers are taken from the generated descriptors, and a test compares every field with a full decode.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { PaymentEventSchema } from "@florin/gen/events/v1/events";
import { AmountsSchema, PaymentSchema, ProcessorResponseSchema, Mode as WireMode } from "@florin/gen/payments/v1/payments";
import { assert, required } from "@florin/kernel";
import { type BookedEvent, type EventType, isEventType, type Mode, type Totals } from "../domain/event.ts";
import { movesMoney } from "../domain/posting.ts";

const eventField = {
  type: PaymentEventSchema.field.type.number,
  payment: PaymentEventSchema.field.payment.number,
  amountsBefore: PaymentEventSchema.field.amountsBefore.number,
  amount: PaymentEventSchema.field.amount.number,
  occurredAtMs: PaymentEventSchema.field.occurredAtMs.number,
};
const paymentField = {
  id: PaymentSchema.field.id.number,
  merchantId: PaymentSchema.field.merchantId.number,
  mode: PaymentSchema.field.mode.number,
  currency: PaymentSchema.field.currency.number,
  authorized: PaymentSchema.field.amountAuthorized.number,
  captured: PaymentSchema.field.amountCaptured.number,
  refunded: PaymentSchema.field.amountRefunded.number,
  processorResponse: PaymentSchema.field.processorResponse.number,
};
const amountsField = {
  authorized: AmountsSchema.field.authorized.number,
  captured: AmountsSchema.field.captured.number,
  refunded: AmountsSchema.field.refunded.number,
};
const connectorField = ProcessorResponseSchema.field.connector.number;

type MutableTotals = { authorized: bigint; captured: bigint; refunded: bigint };
type PaymentView = {
  id: string;
  merchantId: string;
  mode: Mode | undefined;
  currency: string;
  connector: string;
  totals: MutableTotals;
};

/** An event of a type that this release does not know: the ledger must be upgraded before it can go on. */
export class UnknownEventTypeError extends Error {
  override readonly name = "UnknownEventTypeError";
}

/** The facts of one logged event, or undefined when its type moves no money. Throws `UnknownEventTypeError` on a type it does not know. */
export function readBookedEvent(position: bigint, body: Uint8Array): BookedEvent | undefined {
  const reader = new BinaryReader(body);
  let type: EventType | undefined;
  let payment: PaymentView | undefined;
  let before: Totals = { authorized: 0n, captured: 0n, refunded: 0n };
  let amount = 0n;
  let occurredAtMs = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    switch (field) {
      case eventField.type:
        type = knownType(reader.string(), position);
        if (!movesMoney(type)) return undefined;
        break;
      case eventField.payment:
        payment = readPayment(reader, reader.uint32());
        break;
      case eventField.amountsBefore:
        before = readTotals(reader, reader.uint32());
        break;
      case eventField.amount:
        amount = int64(reader);
        break;
      case eventField.occurredAtMs:
        occurredAtMs = Number(reader.int64());
        break;
      default:
        reader.skip(wireType, field);
    }
  }
  const { id, merchantId, mode, currency, connector, totals } = required(payment, "payment");
  return {
    position,
    type: required(type, "type"),
    paymentId: id,
    merchantId,
    mode: required(mode, "mode"),
    currency,
    connector,
    amount,
    before,
    after: totals,
    occurredAtMs,
  };
}

function knownType(text: string, position: bigint): EventType {
  if (!isEventType(text))
    throw new UnknownEventTypeError(`event type ${JSON.stringify(text.slice(0, 64))} at position ${position} is not known`);
  return text;
}

function readPayment(reader: BinaryReader, length: number): PaymentView {
  const payment: PaymentView = {
    id: "",
    merchantId: "",
    mode: undefined,
    currency: "",
    connector: "",
    totals: { authorized: 0n, captured: 0n, refunded: 0n },
  };
  const end = reader.pos + length;
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    switch (field) {
      case paymentField.id:
        payment.id = reader.string();
        break;
      case paymentField.merchantId:
        payment.merchantId = reader.string();
        break;
      case paymentField.mode:
        payment.mode = modeOf(reader.int32());
        break;
      case paymentField.currency:
        payment.currency = reader.string();
        break;
      case paymentField.authorized:
        payment.totals.authorized = int64(reader);
        break;
      case paymentField.captured:
        payment.totals.captured = int64(reader);
        break;
      case paymentField.refunded:
        payment.totals.refunded = int64(reader);
        break;
      case paymentField.processorResponse:
        payment.connector = readConnector(reader, reader.uint32());
        break;
      default:
        reader.skip(wireType, field);
    }
  }
  assert(reader.pos === end, "a payment ends where its length says");
  return payment;
}

function readTotals(reader: BinaryReader, length: number): Totals {
  const totals: MutableTotals = { authorized: 0n, captured: 0n, refunded: 0n };
  const end = reader.pos + length;
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === amountsField.authorized) totals.authorized = int64(reader);
    else if (field === amountsField.captured) totals.captured = int64(reader);
    else if (field === amountsField.refunded) totals.refunded = int64(reader);
    else reader.skip(wireType, field);
  }
  return totals;
}

function readConnector(reader: BinaryReader, length: number): string {
  let connector = "";
  const end = reader.pos + length;
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === connectorField && wireType === WireType.LengthDelimited) connector = reader.string();
    else reader.skip(wireType, field);
  }
  return connector;
}

const modes: Readonly<Partial<Record<WireMode, Mode>>> = { [WireMode.TEST]: "test", [WireMode.LIVE]: "live" };

function modeOf(wire: number): Mode | undefined {
  return modes[wire as WireMode];
}

function int64(reader: BinaryReader): bigint {
  return BigInt(reader.int64());
}
