import { idToHex, makeId } from "@florin/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { uuidOf } from "./uuid.ts";

describe("ids for the database", () => {
  test("are the same bits as the kernel's", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.uint8Array({ minLength: 10, maxLength: 10 }), (nowMs, random) => {
        const id = makeId("payment", nowMs, random);
        expect(uuidOf(id)).toBe(idToHex(id));
      }),
    );
  });

  test("are refused when they are none", () => {
    for (const wrong of ["", "pay_", "pay_!!!!!!!!!!!!!!!!!!!!!!!!!!", "pay_uuuuuuuuuuuuuuuuuuuuuuuuuu"])
      expect(() => uuidOf(wrong)).toThrow();
  });
});
