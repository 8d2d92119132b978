import { idToHex, makeId } from "@florin/kernel";
import { expect, test } from "vitest";
import { partitionCount, partitionOf } from "./event-bus.ts";

test("the partition of a payment is the last hex digit of its id", () => {
  for (let byte = 0; byte < 256; byte++) {
    const id = makeId("payment", 1_795_239_476_695, new Uint8Array(10).fill(byte));
    expect(partitionOf(id)).toBe(Number.parseInt(idToHex(id).at(-1) ?? "", 16));
    expect(partitionOf(id)).toBeLessThan(partitionCount);
  }
});
