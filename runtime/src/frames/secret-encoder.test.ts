import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { DescribeTokenResponseSchema, DetokenizeResponseSchema } from "@florin/gen/vault/v1/vault";
import { required } from "@florin/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createSecretEncoder } from "./secret-encoder.ts";

const encoder = required(createSecretEncoder(DetokenizeResponseSchema), "an encoder of secrets");
const bytes = (lengthMax: number) => fc.uint8Array({ maxLength: lengthMax, min: 1 });
const answer = fc.record({
  found: fc.boolean(),
  number: bytes(127),
  expMonth: fc.nat(12),
  securityCode: bytes(4),
  postalCode: fc.string(),
  addressLine1: fc.string(),
});
const messageOf = (init: MessageInitShape<typeof DetokenizeResponseSchema>) => create(DetokenizeResponseSchema, init);
const areWiped = (given: readonly Uint8Array[]) => given.every((secret) => secret.every((byte) => byte === 0));

test("what is encoded is read back as it was, and the messages' own secrets are wiped", () => {
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 4 }), (inits) => {
      const expected = inits.map((init) => messageOf({ ...init, number: init.number.slice(), securityCode: init.securityCode.slice() }));
      const bodies = encoder.encodeAll(inits.map(messageOf));
      expect(bodies.map((body) => fromBinary(DetokenizeResponseSchema, body as Uint8Array))).toEqual(expected);
      expect(areWiped(inits.flatMap(({ number, securityCode }) => [number, securityCode]))).toBe(true);
    }),
  );
});

test("wiping one body leaves its neighbours as they are", () => {
  const bodies = encoder.encodeAll([1, 2, 3].map((digit) => messageOf({ number: Uint8Array.of(digit) }))) as Uint8Array[];
  bodies[1]?.fill(0);
  const read = (body: Uint8Array | undefined) => [...fromBinary(DetokenizeResponseSchema, body ?? expect.fail()).number];
  expect([read(bodies[0]), read(bodies[2])]).toEqual([[1], [3]]);
});

test("a message that cannot be encoded fails alone, and is wiped like the others", () => {
  const secrets = [Uint8Array.of(1, 2), new Uint8Array(128).fill(7), Uint8Array.of(3), Uint8Array.of(4)];
  const messages = secrets.map((number) => messageOf({ number }));
  messages[2] = { ...(messages[2] ?? expect.fail()), expMonth: "x" as unknown as number };
  const bodies = encoder.encodeAll(messages);
  expect(bodies.map((body) => body instanceof Error)).toEqual([false, true, true, false]);
  expect([...fromBinary(DetokenizeResponseSchema, bodies[3] as Uint8Array).number]).toEqual([4]);
  expect(areWiped(secrets)).toBe(true);
});

test("a message that nobody wants is wiped without being encoded", () => {
  const number = Uint8Array.of(1, 2, 3);
  const message = messageOf({ number });
  encoder.wipe?.(message);
  encoder.wipe?.(message);
  expect(areWiped([number])).toBe(true);
});

test("a message without secret fields has no such encoder", () => {
  expect(createSecretEncoder(DescribeTokenResponseSchema)).toBeUndefined();
});
