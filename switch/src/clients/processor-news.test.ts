import type { WatchNewsResponse } from "@florin/gen/connectors/v1/connectors";
import { idToHex, makeId } from "@florin/kernel";
import { createLogger } from "@florin/runtime/telemetry";
import { afterEach, expect, test } from "vitest";
import { followNews, type NewsClient, type ProcessorNews } from "./processor-news.ts";

const logger = createLogger({ service: "test", level: "silent" });
const reference = (number: number) => makeId("attempt", 1_000, Buffer.alloc(10, number));
const responseOf = (...references: string[]) =>
  ({ items: references.map((one) => ({ connector: "simlater", reference: one })) }) as unknown as WatchNewsResponse;
let news: ProcessorNews;
let nowMs = 0;
afterEach(() => news.stop());

/** Streams of responses, one after the other; the last one stays open. */
function follow(...streams: (readonly WatchNewsResponse[])[]): { readonly ended: () => number } {
  let begun = 0;
  const client: NewsClient = {
    async *watchNews(_request, { signal }) {
      const responses = streams[begun++];
      yield* responses ?? [];
      if (begun < streams.length) throw new Error("the stream broke");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  };
  const sleep = async () => undefined;
  news = followNews({ client, timing: { monotonicMs: () => nowMs, sleep } as never, logger });
  return { ended: () => begun };
}

function offered(taken: readonly string[] = []): readonly string[] {
  const all: string[] = [];
  news.offer((uuid) => {
    all.push(uuid);
    return taken.includes(uuid);
  });
  return all;
}

test("an operation is offered until it is taken, and not for ever", async () => {
  follow([responseOf(reference(1), reference(2))]);
  await expect.poll(() => offered().length).toBe(2);
  expect(offered([idToHex(reference(1))])).toHaveLength(2);
  expect(offered()).toEqual([idToHex(reference(2))]);
  nowMs += 5_001;
  expect(offered()).toHaveLength(1);
  expect(offered()).toEqual([]);
});

test("what is no operation's id is left out", async () => {
  follow([responseOf("pay_1", "'; --", reference(3))]);
  await expect.poll(() => offered()).toEqual([idToHex(reference(3))]);
});

test("a stream that breaks is taken up again", async () => {
  const { ended } = follow([responseOf(reference(1))], [], [responseOf(reference(2))]);
  await expect.poll(() => offered().length).toBe(2);
  expect(ended()).toBe(3);
});
