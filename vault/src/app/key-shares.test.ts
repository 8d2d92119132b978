import { describe, expect, test } from "vitest";
import { combineShares, makeShare, readShare } from "./key-shares.ts";

const shareOf = (byte: number) => new Uint8Array(32).fill(byte);

describe("shares of a key", () => {
  test("are XORed, in any order, and wiped", () => {
    const shares = [shareOf(0x0f), shareOf(0x33), shareOf(0x55)];
    expect(Buffer.from(combineShares(shares)).toString("hex")).toBe("69".repeat(32));
    for (const share of shares) expect(share).toEqual(new Uint8Array(32));
    expect(combineShares([shareOf(0x55), shareOf(0x0f), shareOf(0x33)])).toEqual(shareOf(0x69));
  });

  test("are as long as the key, other ones each time, and come back from their text", () => {
    const [first, second] = [readShare(makeShare(), "a"), readShare(makeShare(), "b")];
    expect([first.length, second.length]).toEqual([32, 32]);
    expect(first).not.toEqual(second);
  });

  test("one alone, one twice and nine are refused", () => {
    expect(() => combineShares([shareOf(1)])).toThrow("2 to 8 shares");
    expect(() => combineShares([shareOf(1), shareOf(2), shareOf(1)])).toThrow("given twice");
    expect(() => combineShares(Array.from({ length: 9 }, (_, index) => shareOf(index)))).toThrow("2 to 8 shares");
  });

  test("one that was copied with a mistake is refused by name, and not shown", () => {
    const text = makeShare();
    const digit = text[25] === "0" ? "1" : "0";
    const damaged = text.slice(0, 25) + digit + text.slice(26);
    for (const [wrong, words] of [
      [damaged, "alice.share is damaged"],
      [text.slice(0, 60), "alice.share is no share"],
      ["", "alice.share is no share"],
    ] as const) {
      const read = () => readShare(wrong, "alice.share");
      expect(read).toThrow(words);
      expect(read).not.toThrow(text.slice(30, 60));
    }
  });
});
