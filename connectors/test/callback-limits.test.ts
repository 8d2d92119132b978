/** Bounds of the callback receiver that need one of their own: how often an address may be refused, and what is remembered. */
import { Secret } from "@florin/kernel";
import { afterEach, expect, test } from "vitest";
import { type CallbackResult, type Receiver, startReceiver } from "../src/callbacks/receiver.ts";
import type { CallbackReading, Connector } from "../src/contract/connector.ts";
import { createSimlater } from "../src/simlater/simlater.ts";

let receiver: Receiver | undefined;
afterEach(() => receiver?.close());

async function receive(reading: (body: string) => CallbackReading, limits: { refusedPerSecondMax: number; eventsRememberedMax: number }) {
  const results: CallbackResult[] = [];
  const faults: unknown[] = [];
  const base = createSimlater({
    url: new URL("http://127.0.0.1:1"),
    apiKey: new Secret(Buffer.from("k")),
    callbackKeys: new Map([["k1", new Secret(Buffer.from("a key"))]]),
    callbackToleranceMs: 1,
    askAfterMs: 1_000,
    connectionsMax: 1,
    waitingMax: 1,
    connectTimeoutMs: 100,
  });
  const connector: Connector = { ...base, readCallback: ({ body }) => reading(body.toString()) };
  receiver = await startReceiver({
    host: "127.0.0.1",
    port: 0,
    connectors: new Map([["simlater", connector]]),
    bodySizeBytesMax: 1_024,
    requestTimeoutMs: 1_000,
    onUnawaited: () => undefined,
    onResult: (_connector, result) => results.push(result),
    onFault: (thrown) => faults.push(thrown),
    ...limits,
  });
  const url = `http://127.0.0.1:${receiver.port}/callbacks/simlater`;
  return { results, faults, post: async (body: string, headers = {}) => (await fetch(url, { method: "POST", body, headers })).status };
}

const event = (eventId: string): CallbackReading => ({ kind: "event", eventId, reference: "att_1", take: () => true });

test("an address that is refused too often has to wait; what is signed does not count", async () => {
  const limits = { refusedPerSecondMax: 5, eventsRememberedMax: 100 };
  const { post } = await receive((body) => (body === "bad" ? { kind: "refused", why: "signature_wrong" } : event(body)), limits);
  for (let count = 0; count < 50; count++) expect(await post(`good-${count}`)).toBe(200);
  const refused = [];
  for (let count = 0; count < 20; count++) refused.push(await post("bad"));
  expect(refused.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
  expect(refused).toContain(429);
});

test("strangers behind the processor's own address do not keep its callbacks out, and who names its key in vain waits as well", async () => {
  const limits = { refusedPerSecondMax: 5, eventsRememberedMax: 100 };
  const { post } = await receive((body) => (body === "bad" ? { kind: "refused", why: "signature_wrong" } : event(body)), limits);
  const [ours, strangers] = [{ "x-later-key": "k1" }, { "x-later-key": "k2" }];
  const flood = async (headers: object) => {
    const answers = new Set<number>();
    for (let count = 0; count < 30; count++) answers.add(await post("bad", headers));
    return answers;
  };
  for (const headers of [{}, strangers]) expect(await flood(headers)).toContain(429);
  expect([await post("good", strangers), await post("good", ours)]).toEqual([429, 200]);
  expect(await flood(ours)).toContain(429);
});

test("events are remembered up to a bound, the latest ones", async () => {
  const { post, results } = await receive(event, { refusedPerSecondMax: 100, eventsRememberedMax: 3 });
  for (const id of ["a", "b", "c", "a", "d", "c", "a"]) expect(await post(id)).toBe(200);
  expect(results).toEqual(["taken", "taken", "taken", "repeated", "taken", "repeated", "taken"]);
});

test("many signed callbacks at once never look like an attack", async () => {
  const { post } = await receive(event, { refusedPerSecondMax: 2, eventsRememberedMax: 1_000 });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, number) => post(`e${number}`)));
  expect(new Set(answers)).toEqual(new Set([200]));
});

test("a bug is told, and not answered as if the event had been handled", async () => {
  const bug = new Error("a bug");
  const limits = { refusedPerSecondMax: 100, eventsRememberedMax: 10 };
  const { post, faults } = await receive(() => {
    throw bug;
  }, limits);
  await expect(post("x")).rejects.toThrow();
  expect(faults).toEqual([bug]);
});

test("an event whose handling failed is handled when it is sent again, and not called a repetition", async () => {
  let takes = 0;
  const taking = () => {
    takes += 1;
    if (takes === 1) throw new Error("a bug");
    return true;
  };
  const reading = () => ({ kind: "event", eventId: "e1", reference: "att_x", take: taking }) as const;
  const { post } = await receive(reading, { refusedPerSecondMax: 100, eventsRememberedMax: 10 });
  await expect(post("x")).rejects.toThrow();
  expect([await post("x"), await post("x")]).toEqual([200, 200]);
  expect(takes).toBe(2);
});
