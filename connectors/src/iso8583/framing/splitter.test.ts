import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Framing, framings, headerBytes, writeHeader } from "./framing.ts";
import { createSplitter, type MeasureMessage, type Splitter } from "./splitter.ts";

const messageBytesMax = 300;
const manners: readonly (readonly [string, Framing])[] = [
  ["two binary bytes", framings.binary],
  ["four digits", framings.ascii],
  [
    "two binary bytes that count themselves, and a TPDU",
    { length: "binary-2", countsItself: true, preamble: Buffer.from("6000010000", "hex") },
  ],
  ["four digits that count themselves", { length: "ascii-4", countsItself: true, preamble: new Uint8Array() }],
];

function framed(framing: Framing, message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(headerBytes(framing) + message.length);
  writeHeader(framing, message.length, bytes);
  bytes.set(message, headerBytes(framing));
  return bytes;
}

/** Pushes `stream` in pieces of the given sizes, over and over. */
function pushAll(splitter: Splitter, stream: Uint8Array, sizes: readonly number[]): { messages: string[]; fault: string | undefined } {
  const messages: string[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const end = at + (sizes[turn % sizes.length] ?? 1);
    const fault = splitter.push(stream.subarray(at, end), (message) => messages.push(Buffer.from(message).toString("hex")));
    if (fault !== undefined) return { messages, fault };
    at = end;
  }
  return { messages, fault: undefined };
}

const anyMessages = fc.array(fc.uint8Array({ minLength: 1, maxLength: messageBytesMax, size: "max" }), { maxLength: 8 });
const anySizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 });

describe.each(manners)("%s", (_name, framing) => {
  test("messages come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(anyMessages, anySizes, (messages, sizes) => {
        const splitter = createSplitter({ framing, messageBytesMax });
        const stream = Buffer.concat(messages.map((message) => framed(framing, message)));
        const read = pushAll(splitter, stream, sizes);
        expect(read).toEqual({ messages: messages.map((message) => Buffer.from(message).toString("hex")), fault: undefined });
        expect(splitter.pendingBytes).toBe(0);
      }),
    );
  });

  test("a message above the limit ends the stream at its header, and nothing after it is read", () => {
    const splitter = createSplitter({ framing, messageBytesMax });
    const long = framed(framing, Buffer.alloc(messageBytesMax + 1));
    const messages: Uint8Array[] = [];
    expect(splitter.push(long.subarray(0, headerBytes(framing)), (message) => messages.push(message))).toBe("too_long");
    expect(splitter.push(framed(framing, Buffer.of(1)), (message) => messages.push(message))).toBe("too_long");
    expect(messages).toEqual([]);
    expect(splitter.pendingBytes).toBe(0);
  });

  test("whatever comes, no more than one message is held", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 40 }), (chunks) => {
        const splitter = createSplitter({ framing, messageBytesMax });
        for (const chunk of chunks) {
          splitter.push(chunk, (message) => expect(message.length).toBeLessThanOrEqual(messageBytesMax));
          expect(splitter.pendingBytes).toBeLessThanOrEqual(messageBytesMax + headerBytes(framing));
        }
      }),
    );
  });

  test("a frame without a message is passed over", () => {
    const empty = Buffer.alloc(headerBytes(framing) - framing.preamble.length);
    const itself = framing.countsItself ? empty.length : 0;
    if (framing.length === "binary-2") empty.writeUInt16BE(itself);
    else empty.write(String(itself).padStart(4, "0"), "latin1");
    const splitter = createSplitter({ framing, messageBytesMax });
    const stream = Buffer.concat([empty, empty, framed(framing, Buffer.of(7)), empty, framed(framing, Buffer.of(8))]);
    for (const size of [1, 3, 1_000]) expect(pushAll(splitter, stream, [size])).toEqual({ messages: ["07", "08"], fault: undefined });
  });
});

test.each(["12a4", "    ", "-001", "0x10"])("%j is no length", (header) => {
  expect(createSplitter({ framing: framings.ascii, messageBytesMax }).push(Buffer.from(header), () => undefined)).toBe("bad_length");
});

test("a length that does not count what it should is no length", () => {
  const framing: Framing = { length: "binary-2", countsItself: true, preamble: Buffer.of(1, 2) };
  expect(createSplitter({ framing, messageBytesMax }).push(Buffer.of(0, 1), () => undefined)).toBe("bad_length");
  expect(createSplitter({ framing, messageBytesMax }).push(Buffer.of(0, 3), () => undefined)).toBe("bad_length");
});

describe("without a length", () => {
  /** A message is as many bytes as its first says, that one counted; 0 is none. */
  const measure: MeasureMessage = (bytes) => {
    const length = bytes[0] as number;
    return length === 0 ? "unreadable" : length > bytes.length ? "more" : length;
  };
  const message = (length: number) => Buffer.alloc(length, length);

  test("messages are measured", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 20 }), anySizes, (lengths, sizes) => {
        const splitter = createSplitter({ framing: framings.none, messageBytesMax: 200, measure });
        const read = pushAll(splitter, Buffer.concat(lengths.map(message)), sizes);
        expect(read).toEqual({ messages: lengths.map((length) => message(length).toString("hex")), fault: undefined });
      }),
    );
  });

  test("what cannot be measured, or does not end, ends the stream", () => {
    const start = () => createSplitter({ framing: framings.none, messageBytesMax: 100, measure });
    expect(start().push(Buffer.of(0), () => undefined)).toBe("unreadable");
    expect(start().push(message(101), () => undefined)).toBe("too_long");
    expect(pushAll(start(), message(101), [7])).toEqual({ messages: [], fault: "too_long" });
  });
});

test("the buffer is wiped behind a message that came in pieces", () => {
  const splitter = createSplitter({ framing: framings.binary, messageBytesMax });
  const stream = framed(framings.binary, Buffer.alloc(20, 0x39));
  let seen: Uint8Array = new Uint8Array();
  splitter.push(stream.subarray(0, 9), () => undefined);
  splitter.push(stream.subarray(9), (message) => {
    seen = message;
  });
  expect(seen.length).toBe(20);
  expect(seen.every((byte) => byte === 0)).toBe(true);
});
