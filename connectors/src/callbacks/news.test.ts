import { expect, test } from "vitest";
import { createNews, type Item } from "./news.ts";

const item = (reference: string): Item => ({ connector: "simlater", reference });

async function take(followed: AsyncIterable<readonly Item[]>, count: number): Promise<readonly string[]> {
  const taken: string[] = [];
  for await (const items of followed) {
    taken.push(...items.map(({ reference }) => reference));
    if (taken.length >= count) break;
  }
  return taken;
}

test("a follower hears what is remembered, and then what comes; two followers hear the same", async () => {
  const news = createNews(10);
  const ending = new AbortController();
  news.publish(item("a"));
  const both = [take(news.follow(ending.signal), 3), take(news.follow(ending.signal), 3)];
  await Promise.resolve();
  news.publish(item("b"));
  await Promise.resolve();
  news.publish(item("c"));
  expect(await Promise.all(both)).toEqual([
    ["a", "b", "c"],
    ["a", "b", "c"],
  ]);
});

test("a follower that ends does not take the next one's news along", async () => {
  const news = createNews(10);
  const ending = new AbortController();
  const gone = take(news.follow(ending.signal), 1);
  const stays = take(news.follow(new AbortController().signal), 1);
  await Promise.resolve();
  ending.abort();
  expect(await gone).toEqual([]);
  news.publish(item("a"));
  expect(await stays).toEqual(["a"]);
});

test("followers that come and go leave nothing behind while nothing is published", async () => {
  const news = createNews(10);
  for (let times = 0; times < 100; times++) {
    const ending = new AbortController();
    const gone = take(news.follow(ending.signal), 1);
    await Promise.resolve();
    expect(news.waiting).toBe(1);
    ending.abort();
    expect(await gone).toEqual([]);
    expect(news.waiting).toBe(0);
  }
});

test("what is remembered is bounded: the latest, without a gap for who follows", async () => {
  const news = createNews(3);
  for (let number = 0; number < 100; number++) news.publish(item(String(number)));
  const taken = await take(news.follow(new AbortController().signal), 3);
  expect(taken.length).toBeLessThanOrEqual(6);
  expect(taken.slice(-3)).toEqual(["97", "98", "99"]);
});
