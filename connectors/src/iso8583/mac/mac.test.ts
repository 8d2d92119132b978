import { Secret } from "@florin/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMessage } from "../codec/decode.ts";
import { type DialectData, makeDialect } from "../codec/dialect.ts";
import { dialects } from "../codec/dialects.ts";
import type { IsoMessage } from "../codec/message.ts";
import { anyMessage } from "../codec/message-arbitrary.ts";
import { createMac } from "./algorithms.ts";
import { checkMac, encodeSealed, macBytes, softwareMac } from "./seal.ts";

const key = (hex: string) => new Secret(Buffer.from(hex, "hex"));
const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

/** ISO/IEC 9797-1:1999 annex B, algorithm 3 with padding method 1. */
const retailVectors = [
  ["Now is the time for all ", "a1c72e74ea3fa9b6"],
  ["Now is the time for it", "2e2b1428cc78254f"],
] as const;

test.each(retailVectors)("X9.19 of the annex' %j", (text, expected) => {
  const mac = createMac("x9.19", key("0123456789ABCDEFFEDCBA9876543210"))(Buffer.from(text));
  expect(Buffer.from(mac).toString("hex")).toBe(expected);
});

/** RFC 4493 §4. */
const cmacText = bytes(
  "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710",
);
test.each([
  [0, "bb1d6929e95937287fa37d129b756746"],
  [16, "070a16b46b4d4144f79bdd9dd04a287c"],
  [40, "dfa66747de9ae63030ca32611497c827"],
  [64, "51f0bebf7e3b9d92fc49741779363cfe"],
])("AES-CMAC of the first %i bytes of RFC 4493", (length, expected) => {
  const mac = createMac("aes-cmac", key("2b7e151628aed2a6abf7158809cf4f3c"))(cmacText.subarray(0, length));
  expect(Buffer.from(mac).toString("hex")).toBe(expected);
});

/** NIST SP 800-38B appendix D.3, AES-256. */
test("AES-CMAC with a key of 32 bytes", () => {
  const mac = createMac("aes-cmac", key("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"))(cmacText.subarray(0, 40));
  expect(Buffer.from(mac).toString("hex")).toBe("aaf3d8f1de5640c232f5b169b9c911e6");
});

const withoutMac = ({ mti, fields }: IsoMessage): IsoMessage => ({
  mti,
  fields: new Map([...fields].filter(([number]) => number !== 64 && number !== 128)),
});

describe.each(dialects.map((data) => [data.name, data] as const))("%s", (_name, data: DialectData) => {
  const dialect = makeDialect(data);
  const makeMac = softwareMac("x9.19", key("0123456789ABCDEFFEDCBA9876543210"));

  test("a sealed message is right, and wrong after any change that still decodes", async () => {
    await fc.assert(
      fc.asyncProperty(anyMessage(data), fc.nat(), fc.integer({ min: 1, max: 255 }), async (any, where, flip) => {
        const target = Buffer.alloc(16_384);
        const sealed = await encodeSealed(dialect, makeMac, withoutMac(any), target);
        if (sealed.kind !== "encoded") throw new Error(sealed.kind);
        const wire = target.subarray(0, sealed.length);
        const decoded = decodeMessage(dialect, wire);
        if (decoded.kind === "refused") throw new Error(decoded.fault.reason);
        expect(await checkMac(dialect, makeMac, wire, decoded.message)).toBe("right");
        expect(decoded.message.fields.has([...decoded.message.fields.keys()].some((number) => number > 64) ? 128 : 64)).toBe(true);
        // DES takes no notice of the lowest bit of each byte of its key.
        const other = softwareMac("x9.19", key("0123456789ABCDEFFEDCBA9876543211"));
        expect(await checkMac(dialect, other, wire, decoded.message)).toBe("right");
        expect(await checkMac(dialect, softwareMac("x9.19", key("0323456789ABCDEFFEDCBA9876543210")), wire, decoded.message)).toBe("wrong");
        wire[where % wire.length] = (wire[where % wire.length] as number) ^ flip;
        const changed = decodeMessage(dialect, wire);
        // A code in hexadecimal may change from capitals to small letters and is the same number.
        const isCase = (before: number, after: number) => (before ^ after) === 0x20;
        const at = where % wire.length;
        const isSameNumber = at >= wire.length - 2 * macBytes && isCase((wire[at] as number) ^ flip, wire[at] as number);
        if (changed.kind === "decoded" && !isSameNumber) expect(await checkMac(dialect, makeMac, wire, changed.message)).not.toBe("right");
      }),
      { numRuns: 100 },
    );
  });
});

test("a message without a code has none, also one with the other field", async () => {
  const dialect = makeDialect(dialects[0] as DialectData);
  const makeMac = softwareMac("aes-cmac", key("2b7e151628aed2a6abf7158809cf4f3c"));
  const plain: IsoMessage = { mti: "0810", fields: new Map([[39, "00"]]) };
  expect(await checkMac(dialect, makeMac, new Uint8Array(64), plain)).toBe("missing");
  const other: IsoMessage = {
    mti: "0810",
    fields: new Map<number, string | Uint8Array>([
      [64, new Uint8Array(8)],
      [70, "301"],
    ]),
  };
  expect(await checkMac(dialect, makeMac, new Uint8Array(64), other)).toBe("missing");
  await expect(
    encodeSealed(dialect, makeMac, { mti: "0810", fields: new Map([[64, new Uint8Array(8)]]) }, new Uint8Array(99)),
  ).rejects.toThrow("made here");
});

test("code after code, a cipher that is kept gives what a new one gives, and the key may be wiped meanwhile", () => {
  const hex = "0123456789ABCDEFFEDCBA9876543210";
  const held = key(hex);
  const compute = createMac("x9.19", held);
  held.wipe();
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }), (messages) => {
      for (const message of messages) {
        const before = Uint8Array.from(message);
        expect(Buffer.from(compute(message)).toString("hex")).toBe(Buffer.from(createMac("x9.19", key(hex))(message)).toString("hex"));
        expect(message).toEqual(before);
      }
    }),
  );
});
