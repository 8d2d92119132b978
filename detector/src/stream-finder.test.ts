import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { createStreamFinder } from "./stream-finder.ts";
import { madeUpNumber } from "./testing/made-up-numbers.ts";
import { seeded } from "./testing/seeded.ts";

const random = seeded(Math.floor(Math.random() * 2 ** 31));
const number = madeUpNumber(random);

/** The smallest piece there can be, so that a few hundred KB have many seams. */
function search(stream: Buffer, chunkBytes: number) {
  const findings: number[] = [];
  const unread: number[] = [];
  const finder = createStreamFinder({
    pieceBytes: 1,
    onFinding: ({ start }) => void findings.push(start),
    onUnread: ({ at }) => void unread.push(at),
  });
  for (let from = 0; from < stream.length; from += chunkBytes) finder.push(stream.subarray(from, from + chunkBytes));
  finder.end();
  return { findings, unread };
}

describe("a stream", () => {
  test.each([1_000, 16_384, 1_000_000])("gives each number once, at its place, in chunks of %d bytes", (chunkBytes) => {
    const parts: string[] = [];
    const places: number[] = [];
    let size = 0;
    for (let count = 0; count < 400; count++) {
      const gap = "x ".repeat(200 + random.integer(300));
      places.push(size + gap.length);
      parts.push(gap, number, ";");
      size += gap.length + number.length + 1;
    }
    expect(search(Buffer.from(parts.join("")), chunkBytes)).toEqual({ findings: places, unread: [] });
  });

  test("gives a number on every possible seam", () => {
    for (let shift = 0; shift < 40; shift++) {
      const place = 33_260 - shift;
      expect(search(Buffer.from(`${"-".repeat(place)}${number}${"-".repeat(60_000)}`), 50_000).findings).toEqual([place]);
    }
  });

  test("gives what base64 and gzip hold on a seam", () => {
    const packed = gzipSync(JSON.stringify({ number }));
    for (const inside of [packed, Buffer.from(packed.toString("base64"))]) {
      const stream = Buffer.concat([Buffer.alloc(33_200, " "), inside, Buffer.alloc(60_000, " ")]);
      expect(search(stream, 50_000).findings).toEqual([33_200]);
    }
  });
});
