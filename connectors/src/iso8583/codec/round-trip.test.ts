import { inspect } from "node:util";
import { Secret } from "@florin/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMessage } from "./decode.ts";
import { type Dialect, type DialectData, makeDialect } from "./dialect.ts";
import { dialects } from "./dialects.ts";
import { encodeMessage } from "./encode.ts";
import { describeFault } from "./fault.ts";
import { anyMessage, normalized, plain } from "./message-arbitrary.ts";

const encoded = (dialect: Dialect, message: Parameters<typeof encodeMessage>[1]): Uint8Array => {
  const buffer = Buffer.alloc(16_384, 0xee);
  const result = encodeMessage(dialect, message, buffer);
  if (result.kind === "refused") throw new Error(describeFault(result.fault));
  // A second time into a buffer that is just long enough.
  const exact = Buffer.alloc(result.length);
  expect(encodeMessage(dialect, message, exact)).toEqual(result);
  expect(encodeMessage(dialect, message, Buffer.alloc(result.length - 1)).kind).toBe("refused");
  expect(exact.equals(buffer.subarray(0, result.length))).toBe(true);
  return exact;
};

const decoded = (dialect: Dialect, bytes: Uint8Array) => {
  const result = decodeMessage(dialect, bytes);
  if (result.kind === "refused") throw new Error(describeFault(result.fault));
  return result.message;
};

describe.each(dialects.map((data) => [data.name, data] as const))("%s", (_name, data: DialectData) => {
  const dialect = makeDialect(data);

  test("what is encoded is decoded to the same, padded as its format says", () => {
    fc.assert(
      fc.property(anyMessage(data), (message) => {
        expect(plain(decoded(dialect, encoded(dialect, message)))).toEqual(plain(normalized(dialect, message)));
      }),
      { numRuns: 300 },
    );
  });

  test("every field of the dialect goes there and back at its greatest length", () => {
    const fields = dialect.fields.filter((field) => field !== undefined);
    expect(fields.length).toBeGreaterThan(120);
    for (const field of fields) {
      const codes = Buffer.alloc(field.lengthMax, field.content === "b" ? 0xa5 : field.content === "a" ? "A" : "7");
      if (field.content === "x+n") codes[0] = 0x43;
      const value = field.isSecret ? new Secret(codes) : field.content === "b" ? new Uint8Array(codes) : codes.toString("latin1");
      const message = { mti: data.version === "1987" ? "0100" : "1100", fields: new Map([[field.number, value]]) };
      expect(plain(decoded(dialect, encoded(dialect, message)))).toEqual(plain(message));
    }
  });

  test("a message that is cut anywhere, or goes on, is refused and says where", () => {
    fc.assert(
      fc.property(anyMessage(data), fc.nat(), (message, at) => {
        const bytes = encoded(dialect, message);
        const cut = decodeMessage(dialect, bytes.subarray(0, at % bytes.length));
        expect(cut).toMatchObject({ kind: "refused", fault: { reason: "truncated" } });
        const longer = decodeMessage(dialect, Buffer.concat([bytes, Buffer.of(0x30)]));
        expect(longer).toMatchObject({ kind: "refused", fault: { part: "end", position: bytes.length, reason: "excess" } });
      }),
      { numRuns: 100 },
    );
  });

  test("changed bytes are refused or decoded to a message that is encoded to bytes of the same meaning", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyMessage(data), changes, (message, all) => {
        const bytes = encoded(dialect, message);
        for (const [at, value] of all) bytes[at % bytes.length] = value;
        const result = decodeMessage(dialect, bytes);
        if (result.kind === "decoded") expect(plain(decoded(dialect, encoded(dialect, result.message)))).toEqual(plain(result.message));
      }),
      { numRuns: 500 },
    );
  });
});

test("a decoded message shows no secret, and what a refused message held is wiped", () => {
  const data = dialects[0] as DialectData;
  const dialect = makeDialect(data);
  const digits = "9".repeat(19);
  const message = {
    mti: "0100",
    fields: new Map<number, Secret | string>([
      [2, new Secret(Buffer.from(digits))],
      [4, "000000001000"],
    ]),
  };
  const bytes = encoded(dialect, message);
  const shown = decoded(dialect, bytes);
  expect(inspect(shown, { depth: 9, showHidden: true }) + JSON.stringify([...shown.fields])).not.toContain("9999");
  bytes[bytes.length - 1] = 0x41;
  const refused = decodeMessage(dialect, bytes);
  expect(refused).toMatchObject({ kind: "refused", fault: { part: 4, position: 41, reason: "bad_character" } });
  if (refused.kind === "refused")
    expect(describeFault(refused.fault)).toBe("DE 4 at byte 41: it has a character that its format does not allow");
});
