import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { AuthorizeResponseSchema, CapabilitiesSchema } from "@florin/gen/connectors/v1/connectors";
import { type ExchangeRequest, ExchangeRequestSchema } from "@florin/gen/frames/v1/frames";
import { CreatePaymentRequestSchema } from "@florin/gen/payments/v1/payments";
import fc from "fast-check";
import { expect, test } from "vitest";
import { asIsEncoder, createBatchEncoder, encodeEach } from "./batch-encoder.ts";

const command = fc.record({ id: fc.nat(), traceparent: fc.string(), body: fc.uint8Array({ maxLength: 300 }) });
const request = fc.record({
  methods: fc.array(fc.string({ maxLength: 200 })),
  commands: fc.array(command, { maxLength: 3 }),
  cancels: fc.array(fc.nat()),
});

test("each body of a batch is byte for byte what toBinary writes", () => {
  const encoder = createBatchEncoder(ExchangeRequestSchema);
  fc.assert(
    fc.property(fc.array(request), (inits) => {
      const messages = inits.map((init) => create(ExchangeRequestSchema, init));
      const bodies = encoder.encodeAll(messages).map((body) => new Uint8Array(body as Uint8Array));
      expect(bodies).toEqual(messages.map((message) => toBinary(ExchangeRequestSchema, message)));
    }),
  );
});

test("empty messages, and messages of any package, are encoded too", () => {
  for (const schema of [AuthorizeResponseSchema, CapabilitiesSchema, CreatePaymentRequestSchema]) {
    const messages: Message[] = [create(schema), create(schema)];
    expect(createBatchEncoder(schema).encodeAll(messages)).toEqual([new Uint8Array(0), new Uint8Array(0)]);
  }
  expect(createBatchEncoder(CapabilitiesSchema).encodeAll([])).toEqual([]);
});

test("fields of a newer peer stay in the message", () => {
  const message = fromBinary(CapabilitiesSchema, Uint8Array.of(0xf8, 0x3f, 7));
  expect(createBatchEncoder(CapabilitiesSchema).encodeAll([message, message])).toEqual([
    Uint8Array.of(0xf8, 0x3f, 7),
    Uint8Array.of(0xf8, 0x3f, 7),
  ]);
});

test("a message that cannot be encoded fails alone", () => {
  const good = create(ExchangeRequestSchema, { cancels: [1] });
  const bad = { ...create(ExchangeRequestSchema), cancels: ["x" as unknown as number] } as ExchangeRequest;
  const [first, second, third] = createBatchEncoder(ExchangeRequestSchema).encodeAll([good, bad, good]);
  expect(second).toBeInstanceOf(Error);
  expect([first, third]).toEqual([toBinary(ExchangeRequestSchema, good), toBinary(ExchangeRequestSchema, good)]);
});

test("values of several types get each their own body", () => {
  const other = { encodeAll: (values: readonly number[]) => values.map((value) => Uint8Array.of(value)) };
  const entries = [
    { value: Uint8Array.of(1, 1), encoder: asIsEncoder },
    { value: 2, encoder: other },
    { value: Uint8Array.of(3, 3), encoder: asIsEncoder },
  ] as unknown as { value: unknown; encoder: { encodeAll(values: readonly unknown[]): readonly Uint8Array[] } }[];
  const bodies = new Map<unknown, unknown>();
  encodeEach<unknown, (typeof entries)[number]>(entries, (entry, body) => bodies.set(entry.value, body));
  expect([...bodies.values()]).toEqual([Uint8Array.of(1, 1), Uint8Array.of(3, 3), Uint8Array.of(2)]);
});
