import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type IdKind, idFromHex, idPrefixes, idTimeMs, idToHex, isId, makeId } from "./id.ts";

const kind = fc.constantFrom(...(Object.keys(idPrefixes) as IdKind[]));
const timeMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const random = fc.uint8Array({ minLength: 10, maxLength: 10 });

describe("ids", () => {
  test("an id survives the way to hex and back, with or without dashes", () => {
    fc.assert(
      fc.property(kind, timeMs, random, (of, nowMs, bytes) => {
        const id = makeId(of, nowMs, bytes);
        const hex = idToHex(id);
        const uuid = hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
        expect(isId(of, id)).toBe(true);
        expect(hex).toMatch(/^[0-9a-f]{32}$/);
        expect([idFromHex(of, hex), idFromHex(of, uuid)]).toEqual([id, id]);
        expect(idTimeMs(id)).toBe(nowMs);
      }),
    );
  });

  test("ids of one kind sort by time as text", () => {
    fc.assert(
      fc.property(kind, timeMs, timeMs, random, random, (of, first, second, left, right) => {
        fc.pre(first < second);
        return makeId(of, first, left) < makeId(of, second, right);
      }),
    );
  });

  test("an id of one kind is none of another", () => {
    fc.assert(
      fc.property(kind, kind, timeMs, random, (of, other, nowMs, bytes) => isId(other, makeId(of, nowMs, bytes)) === (of === other)),
    );
  });

  test("only the canonical spelling is an id", () => {
    const id = makeId("payment", 1_700_000_000_000, new Uint8Array(10).fill(7));
    for (const wrong of [
      id.toUpperCase(),
      ` ${id}`,
      `${id}0`,
      id.slice(0, -1),
      id.replace("_", "-"),
      id.replace(/.$/, "u"),
      `pay_8${id.slice(5)}`,
      "",
      "pay_",
    ]) {
      expect([wrong, isId("payment", wrong)]).toEqual([wrong, false]);
    }
  });

  test("the text of an id never changes for the same bits", () => {
    expect(makeId("payment", 1_700_000_000_000, Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 255]))).toBe("pay_01hf7yat00000g40r40m30e27z");
    expect(idToHex("pay_7zzzzzzzzzzzzzzzzzzzzzzzzz")).toBe("f".repeat(32));
  });

  test("a time beyond 48 bits, too few random bytes and an overlong body are bugs", () => {
    expect(() => makeId("payment", 2 ** 48, new Uint8Array(10))).toThrow();
    expect(() => makeId("payment", -1, new Uint8Array(10))).toThrow();
    expect(() => makeId("payment", 1.5, new Uint8Array(10))).toThrow();
    expect(() => makeId("payment", 1, new Uint8Array(9))).toThrow();
    expect(() => idToHex("pay_8zzzzzzzzzzzzzzzzzzzzzzzzz")).toThrow();
    for (const wrong of ["", "pay_", "pay_!!!!!!!!!!!!!!!!!!!!!!!!!!", "pay_uuuuuuuuuuuuuuuuuuuuuuuuuu"])
      expect(() => idToHex(wrong)).toThrow();
    for (const wrong of ["00", "0".repeat(31), "0".repeat(33), `${"0".repeat(31)}g`]) expect(() => idFromHex("payment", wrong)).toThrow();
  });
});
