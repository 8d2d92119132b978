/** Encodes invented events as the log holds them. For tests and benches; not used by the process. */
import { create, toBinary } from "@bufbuild/protobuf";
import { type EventBatch, EventBatchSchema, LoggedEventSchema, PaymentEventSchema } from "@florin/gen/events/v1/events";
import { Mode } from "@florin/gen/payments/v1/payments";
import { partitionOf, type UnplacedEvent } from "../domain/samples.ts";

/** The bytes of a PaymentEvent with everything around it that a real one carries. */
export function encodeEvent(event: UnplacedEvent): Uint8Array {
  return toBinary(
    PaymentEventSchema,
    create(PaymentEventSchema, {
      type: event.type,
      payment: {
        id: event.paymentId,
        merchantId: event.merchantId,
        mode: event.mode === "live" ? Mode.LIVE : Mode.TEST,
        currency: event.currency,
        amount: event.amount,
        amountAuthorized: event.after.authorized,
        amountCaptured: event.after.captured,
        amountRefunded: event.after.refunded,
        merchantReference: "order-1",
        metadata: { basket: "blue" },
        card: { brand: "visa", bin: "424242", last4: "4242", expMonth: 12, expYear: 2030, funding: "credit" },
        fraudCheck: { riskScore: 12, riskLevel: "low", reasons: [] },
        processorResponse: { connector: event.connector, code: "00", authCode: "A12345", processorReference: "sp_1" },
        createdAtMs: BigInt(event.occurredAtMs),
        updatedAtMs: BigInt(event.occurredAtMs),
        version: 2,
        attempts: 1,
      },
      amountsBefore: event.before,
      amount: event.amount,
      operationId: "att_00000000000000000000000000",
      actor: "key:test",
      requestId: "req_00000000000000000000000000",
      occurredAtMs: BigInt(event.occurredAtMs),
      details: { processor_code: "00" },
    }),
  );
}

export type PlacedEvent = { readonly position: bigint; readonly event: UnplacedEvent };

/** Events as batches of one partition each, in order, `perBatch` events at most. */
export function batchesOf(events: readonly PlacedEvent[], perBatch: number): EventBatch[] {
  const partitions = new Map<number, PlacedEvent[]>();
  for (const placed of events) {
    const partition = partitionOf(placed.event.paymentId);
    const found = partitions.get(partition);
    if (found === undefined) partitions.set(partition, [placed]);
    else found.push(placed);
  }
  const batches: EventBatch[] = [];
  for (const [partition, placed] of partitions) {
    for (let start = 0; start < placed.length; start += perBatch) {
      const part = placed.slice(start, start + perBatch);
      const logged = part.map(({ position, event }) => create(LoggedEventSchema, { position, partition, body: encodeEvent(event) }));
      batches.push(create(EventBatchSchema, { partition, throughPosition: part.at(-1)?.position ?? 0n, events: logged }));
    }
  }
  return batches;
}
