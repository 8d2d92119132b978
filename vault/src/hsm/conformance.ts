/** What every adapter of the hsm port must do. */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Hsm } from "./port.ts";

/**
 * `open` gives the module with the same key-encryption key each time; `openOther` one with another key; `openRotated` one that wraps with another
 * key and still knows the first. All three share one memory of generations, which is empty at first.
 */
export function hsmConformance(
  name: string,
  o: { open: () => Promise<Hsm>; openOther: () => Promise<Hsm>; openRotated: () => Promise<Hsm> },
): void {
  describe(`${name} keeps the hsm contract`, () => {
    test("a wrapped key comes back, in another session too", async () => {
      const [hsm, again] = [await o.open(), await o.open()];
      const key = randomBytes(32);
      const wrapped = await hsm.wrapKey(key);
      expect(wrapped.bytes).toHaveLength(40);
      expect(wrapped.kekId).toBe(hsm.kekId);
      expect(await hsm.unwrapKey(wrapped)).toEqual(key);
      expect(await again.unwrapKey(wrapped)).toEqual(key);
      expect(again.kekId).toBe(hsm.kekId);
    });

    test("a wrapped key shows nothing of the key, and the key is left as it was", async () => {
      const hsm = await o.open();
      const key = randomBytes(32);
      const copy = Buffer.from(key);
      const { bytes } = await hsm.wrapKey(key);
      expect(key).toEqual(copy);
      expect(Buffer.from(bytes).includes(key.subarray(0, 8))).toBe(false);
    });

    test("any changed bit is refused", async () => {
      const hsm = await o.open();
      const { bytes, kekId } = await hsm.wrapKey(randomBytes(32));
      for (let index = 0; index < bytes.length; index++) {
        const changed = Uint8Array.from(bytes);
        changed[index] = (changed[index] ?? 0) ^ 1;
        await expect(hsm.unwrapKey({ bytes: changed, kekId })).rejects.toMatchObject({
          name: "AppError",
          code: "internal",
          work: "not_done",
        });
      }
    });

    test("a shortened or lengthened wrapped key is refused", async () => {
      const hsm = await o.open();
      const { bytes, kekId } = await hsm.wrapKey(randomBytes(32));
      for (const wrong of [bytes.subarray(0, 32), Buffer.concat([bytes, Buffer.alloc(8)]), new Uint8Array()]) {
        await expect(hsm.unwrapKey({ bytes: wrong, kekId })).rejects.toMatchObject({ code: "internal", work: "not_done" });
      }
    });

    test("a key that another key-encryption key wrapped is refused, whatever name stands beside it", async () => {
      const [hsm, other] = [await o.open(), await o.openOther()];
      const wrapped = await other.wrapKey(randomBytes(32));
      expect(other.kekId).not.toBe(hsm.kekId);
      await expect(hsm.unwrapKey(wrapped)).rejects.toMatchObject({ code: "internal", work: "not_done" });
      await expect(hsm.unwrapKey({ ...wrapped, kekId: hsm.kekId })).rejects.toMatchObject({ code: "internal", work: "not_done" });
    });

    test("keys of another length are not wrapped", async () => {
      const hsm = await o.open();
      for (const length of [0, 16, 31, 33, 64]) await expect(hsm.wrapKey(Buffer.alloc(length))).rejects.toThrow();
    });

    test("random bytes are as many as asked, and not the same twice", async () => {
      const hsm = await o.open();
      const [first, second] = [await hsm.randomBytes(32), await hsm.randomBytes(32)];
      expect(first).toHaveLength(32);
      expect(first).not.toEqual(second);
    });

    test("a module with a new key-encryption key unwraps what the old one wrapped, and names both", async () => {
      const [hsm, rotated] = [await o.open(), await o.openRotated()];
      const key = randomBytes(32);
      const wrapped = await hsm.wrapKey(key);
      expect(await rotated.unwrapKey(wrapped)).toEqual(key);
      const rewrapped = await rotated.wrapKey(key);
      expect(rewrapped.kekId).toBe(rotated.kekId);
      expect(rewrapped.kekId).not.toBe(wrapped.kekId);
      expect(await rotated.unwrapKey(rewrapped)).toEqual(key);
      await expect(rotated.unwrapKey({ ...rewrapped, kekId: wrapped.kekId })).rejects.toMatchObject({ code: "internal" });
    });

    test("many keys at once come back each to its own caller", async () => {
      const hsm = await o.open();
      const keys = Array.from({ length: 40 }, () => randomBytes(32));
      const wrapped = await Promise.all(keys.map((key) => hsm.wrapKey(key)));
      expect(await Promise.all(wrapped.map((one) => hsm.unwrapKey(one)))).toEqual(keys);
    });

    test("the generation of the key ring only rises, in every session", async () => {
      const [hsm, again] = [await o.open(), await o.open()];
      expect(await hsm.readGeneration()).toBe(0);
      await Promise.all([hsm.raiseGeneration(3), again.raiseGeneration(7), hsm.raiseGeneration(5)]);
      expect([await hsm.readGeneration(), await again.readGeneration()]).toEqual([7, 7]);
      await hsm.raiseGeneration(6);
      expect(await (await o.open()).readGeneration()).toBe(7);
    });
  });
}
