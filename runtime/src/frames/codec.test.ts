import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ExchangeRequestSchema, ExchangeResponseSchema, type Fault, FaultSchema, Work } from "@florin/gen/frames/v1/frames";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RequestFrameWriter, ResponseFrameWriter, readRequestFrame, readResponseFrame } from "./codec.ts";

const uint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }));
const body = fc.uint8Array({ maxLength: 400 });
const traceparent = fc.constantFrom("", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
const command = fc.record({ id: uint32, method: uint32, timeoutMs: uint32, traceparent, body });
const method = fc.constantFrom("florin.vault.v1.VaultService/DescribeToken", "a.B/C", `x.${"y".repeat(200)}/Z`);
const request = fc.record({ methods: fc.array(method, { maxLength: 5 }), commands: fc.array(command), cancels: fc.array(uint32) });

const fault = fc.record({
  code: fc.string(),
  message: fc.string(),
  work: fc.constantFrom(Work.UNSPECIFIED, Work.NOT_DONE, Work.DONE, Work.UNKNOWN),
  param: fc.string(),
  retryAfterMs: uint32,
});
const answer = fc.oneof(fc.record({ id: uint32, body }), fc.record({ id: uint32, fault }));
const response = fc.record({ answers: fc.array(answer) });

type Request = {
  methods: string[];
  commands: { id: number; method: number; timeoutMs: number; traceparent: string; body: Uint8Array }[];
  cancels: number[];
};

function writeRequest(writer: RequestFrameWriter, frame: Request): Buffer {
  for (const name of frame.methods) writer.addMethod(name);
  for (const { id, method, timeoutMs, traceparent, body } of frame.commands) writer.addCommand(id, method, timeoutMs, traceparent, body);
  for (const id of frame.cancels) writer.addCancel(id);
  return writer.take();
}

test("a frame of commands is byte for byte what the generated code writes, one frame after the other", () => {
  const writer = new RequestFrameWriter();
  fc.assert(
    fc.property(request, (frame) => {
      expect(new Uint8Array(writeRequest(writer, frame))).toEqual(toBinary(ExchangeRequestSchema, create(ExchangeRequestSchema, frame)));
    }),
  );
});

test("a frame of commands that the generated code wrote is read back the same", () => {
  fc.assert(
    fc.property(request, (frame) => {
      const read = readRequestFrame(toBinary(ExchangeRequestSchema, create(ExchangeRequestSchema, frame)));
      const { methods, cancels, ids, methodIndexes, timeoutsMs, traceparents, bodies } = read;
      const commands = ids.map((id, index) => ({
        id,
        method: methodIndexes[index],
        timeoutMs: timeoutsMs[index],
        traceparent: traceparents[index],
        body: new Uint8Array(bodies[index] ?? []),
      }));
      expect({ methods, commands, cancels }).toEqual(frame);
    }),
  );
});

test("a frame of answers is byte for byte what the generated code writes, and is read back the same", () => {
  const writer = new ResponseFrameWriter();
  fc.assert(
    fc.property(response, (frame) => {
      for (const one of frame.answers) {
        if ("fault" in one) writer.addFault(one.id, create(FaultSchema, one.fault));
        else writer.addBody(one.id, one.body);
      }
      const { bytes, isSecret } = writer.take();
      expect(isSecret).toBe(false);
      const message = create(ExchangeResponseSchema, frame);
      expect(new Uint8Array(bytes)).toEqual(toBinary(ExchangeResponseSchema, message));
      const read: { id: number; body: Uint8Array; fault: Fault | undefined }[] = [];
      readResponseFrame(bytes, (id, body, fault) => read.push({ id, body: new Uint8Array(body), fault }));
      expect(read.map(({ id }) => id)).toEqual(message.answers.map(({ id }) => id));
      expect(read.map(({ body }) => body)).toEqual(message.answers.map(({ body }) => body));
      expect(read.map(({ fault }) => fault)).toEqual(message.answers.map(({ fault }) => fault));
    }),
  );
});

test("secret answers are in the frame and nowhere else, behind the others", () => {
  const writer = new ResponseFrameWriter();
  fc.assert(
    fc.property(
      response,
      fc.array(fc.tuple(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.uint8Array({ maxLength: 300 }))),
      (frame, secrets) => {
        const bodies = secrets.map(([, body]) => Uint8Array.from(body));
        for (const [index, [id]] of secrets.entries()) writer.addSecretBody(id, bodies[index] ?? expect.fail());
        for (const one of frame.answers) if ("body" in one) writer.addBody(one.id, one.body);
        const { bytes, isSecret } = writer.take();
        const plain = frame.answers.filter((one) => "body" in one);
        const answers = [...plain, ...secrets.map(([id, body]) => ({ id, body }))];
        expect(new Uint8Array(bytes)).toEqual(toBinary(ExchangeResponseSchema, create(ExchangeResponseSchema, { answers })));
        expect(isSecret).toBe(secrets.length > 0);
        for (const body of bodies) expect(body.every((byte) => byte === 0)).toBe(true);
      },
    ),
  );
});

test("unpacked cancels and fields of a newer peer are understood", () => {
  // cancels 7 and 8 unpacked (field 3, varint), unknown field 15 (varint 1), an answer with unknown field 9 (bytes).
  expect(readRequestFrame(Uint8Array.of(0x18, 7, 0x18, 8, 0x78, 1)).cancels).toEqual([7, 8]);
  const ids: number[] = [];
  readResponseFrame(Uint8Array.of(0x0a, 5, 0x08, 3, 0x4a, 1, 0xff), (id) => ids.push(id));
  expect(ids).toEqual([3]);
});

test("malformed bytes are refused or read, never anything worse", () => {
  const garbage = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(garbage, (bytes) => {
      for (const read of [readRequestFrame, (frame: Uint8Array) => readResponseFrame(frame, () => {})]) {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a truncated frame is refused at every cut that falls into a command", () => {
  const whole = toBinary(
    ExchangeRequestSchema,
    create(ExchangeRequestSchema, { commands: [{ id: 1, timeoutMs: 5, body: new Uint8Array(20) }] }),
  );
  for (let end = 1; end < whole.length; end += 1) expect(() => readRequestFrame(whole.subarray(0, end))).toThrow();
  expect(fromBinary(ExchangeRequestSchema, whole).commands).toHaveLength(1);
});
