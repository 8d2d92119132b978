import fc from "fast-check";
import { expect, test } from "vitest";
import { completeThrough, type LogBatch, newSince, partitionCount, progressOfNothing } from "./progress.ts";

const at = (position: bigint) => ({ position, event: position });

test("a repeated batch brings nothing", () => {
  const batch: LogBatch<bigint> = { partition: 3, throughPosition: 12n, events: [at(10n), at(12n)] };
  const first = newSince(progressOfNothing, [batch]);
  expect(first.events).toEqual([10n, 12n]);
  const again = newSince(first.progress, [batch]);
  expect(again.events).toEqual([]);
  expect(again.progress).toEqual(first.progress);
});

test("a batch that overlaps an earlier one brings its new part only", () => {
  const start = newSince(progressOfNothing, [{ partition: 0, throughPosition: 5n, events: [at(5n)] }]).progress;
  const next = newSince(start, [{ partition: 0, throughPosition: 9n, events: [at(5n), at(8n)] }]);
  expect(next.events).toEqual([8n]);
  expect(next.progress[0]).toBe(9n);
});

test("the books are complete through their slowest partition", () => {
  const progress = progressOfNothing.map((_, partition) => BigInt(partition + 4));
  expect(completeThrough(progress)).toBe(4n);
});

test("however partitions interleave and batches repeat, each event is applied once and in order of its partition", () => {
  const log = fc.array(fc.nat({ max: partitionCount - 1 }), { maxLength: 60 });
  fc.assert(
    fc.property(log, fc.infiniteStream(fc.nat({ max: 3 })), (partitions, choices) => {
      const choose = () => choices.next().value as number;
      const queues = progressOfNothing.map((_, partition) =>
        partitions.flatMap((of, index) => (of === partition ? [BigInt(index + 1)] : [])),
      );
      const applied: bigint[] = [];
      let progress = progressOfNothing;
      const cursors = queues.map(() => 0);
      while (cursors.some((cursor, partition) => cursor < (queues[partition]?.length ?? 0))) {
        const open = cursors.flatMap((cursor, partition) => (cursor < (queues[partition]?.length ?? 0) ? [partition] : []));
        const partition = open[choose() % open.length] ?? 0;
        const queue = queues[partition] ?? [];
        const from = Math.max(0, (cursors[partition] ?? 0) - choose());
        const upTo = Math.min(queue.length, (cursors[partition] ?? 0) + 1 + choose());
        const slice = queue.slice(from, upTo);
        const result = newSince(progress, [{ partition, throughPosition: slice.at(-1) ?? 0n, events: slice.map(at) }]);
        applied.push(...result.events);
        progress = result.progress;
        cursors[partition] = upTo;
      }
      expect([...applied].sort((left, right) => Number(left - right))).toEqual(partitions.map((_, index) => BigInt(index + 1)));
      for (const queue of queues) expect(applied.filter((position) => queue.includes(position))).toEqual(queue);
    }),
  );
});
