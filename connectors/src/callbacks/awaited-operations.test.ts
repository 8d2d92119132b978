/** Who decides an order, in every order of events; and that it is sent once. */
import { makeId } from "@florin/kernel";
import { describe, expect, test, vi } from "vitest";
import { notSent, type Outcome, type QueryAnswer, unknown } from "../contract/outcome.ts";
import { type AwaitedOperations, createAwaitedOperations, type Sending } from "./awaited-operations.ts";

const words = { processorReference: "p", responseCode: "OK", authCode: "", avs: "", cvv: "" };
const approved: Outcome = { kind: "approved", isFinal: true, words };
const declined: Outcome = { kind: "declined", reason: "do_not_honor", words };
const found = (outcome: Outcome): QueryAnswer => ({ kind: "found", outcome });
let number = 0;
const newReference = (atMs = Date.now() + 1) => makeId("attempt", atMs, Buffer.alloc(10, ++number));

type World = { readonly orders: AwaitedOperations<string>; readonly sent: string[]; readonly asked: string[] };

function openWorld(change: { rememberedMax?: number; awaitedMax?: number; askAfterMs?: number } = {}): World {
  const isSame = (one: string, other: string) => one === other;
  const orders = createAwaitedOperations<string>({ isSame, askAfterMs: 10_000, awaitedMax: 8, rememberedMax: 8, ...change });
  return { orders, sent: [], asked: [] };
}

function perform(
  { orders, sent, asked }: World,
  o: { reference?: string; expected?: string; timeoutMs?: number; send?: () => Promise<Sending>; answer?: QueryAnswer } = {},
): Promise<Outcome> {
  const { reference = newReference(), expected = "10 EUR", timeoutMs = 5_000 } = o;
  return orders.perform({
    reference,
    expected,
    deadlineAtMs: Date.now() + timeoutMs,
    send: () => {
      sent.push(reference);
      return o.send?.() ?? Promise.resolve({ kind: "taken" });
    },
    ask: async () => {
      asked.push(reference);
      return o.answer ?? { kind: "not_found" };
    },
  });
}

const never = () => new Promise<Sending>(() => undefined);

describe("whoever is first decides", () => {
  test("a callback that comes before the order is answered", async () => {
    const world = openWorld();
    const reference = newReference();
    const outcome = perform(world, { reference, send: never });
    expect(world.orders.hear(reference, () => approved)).toBe(true);
    expect(await outcome).toEqual(approved);
    expect(world.orders.hear(reference, () => declined)).toBe(false);
  });

  test("a callback that comes while the processor is asked first, of a reference that another process may have sent: it is not sent again", async () => {
    const world = openWorld();
    const reference = newReference(Date.now() - 60_000);
    const outcome = world.orders.perform({
      reference,
      expected: "10 EUR",
      deadlineAtMs: Date.now() + 5_000,
      send: () => Promise.reject(new Error("sent twice")),
      ask: async () => {
        expect(world.orders.hear(reference, () => approved)).toBe(true);
        return { kind: "not_found" };
      },
    });
    expect(await outcome).toEqual(approved);
  });

  test("a callback that comes while such a question fails", async () => {
    const world = openWorld();
    const reference = newReference(Date.now() - 60_000);
    const outcome = perform(world, {
      reference,
      send: () => Promise.reject(new Error("sent twice")),
      answer: found(unknown("not_reached")),
    });
    expect(world.orders.hear(reference, () => approved)).toBe(true);
    expect(await outcome).toEqual(approved);
  });

  test("a bug in sending it is told to its caller, and nobody waits for the order any more", async () => {
    const world = openWorld();
    const reference = newReference();
    const bug = () => {
      throw new Error("a bug");
    };
    await expect(perform(world, { reference, send: bug })).rejects.toThrow("a bug");
    expect(world.orders.hear(reference, () => approved)).toBe(false);
    await world.orders.close();
  });

  test("a refusal", async () => {
    expect(await perform(openWorld(), { send: async () => ({ kind: "decided", outcome: declined }) })).toEqual(declined);
  });

  test("an answer to a question after silence; one that says nothing is asked again", async () => {
    const world = openWorld({ askAfterMs: 5 });
    expect(await perform(world, { answer: found(approved) })).toEqual(approved);
    const silent = openWorld({ askAfterMs: 5 });
    expect(await perform(silent, { answer: found(unknown("in_progress")), timeoutMs: 500 })).toEqual(unknown("timeout"));
    expect(silent.asked.length).toBeGreaterThan(1);
  });

  test("nobody: then it is unknown at the deadline, with the reason that is known", async () => {
    expect(await perform(openWorld(), { timeoutMs: 20 })).toEqual(unknown("timeout"));
    const lost = async (): Promise<Sending> => ({ kind: "unclear", cause: "connection_lost" });
    expect(await perform(openWorld(), { timeoutMs: 20, send: lost })).toEqual(unknown("connection_lost"));
  });

  test("at the deadline nobody is asked any more, also when a timer comes a moment early", async () => {
    const worlds = Array.from({ length: 200 }, () => openWorld());
    for (const outcome of await Promise.all(worlds.map((world) => perform(world, { answer: found(approved), timeoutMs: 20 }))))
      expect(outcome).toEqual(unknown("timeout"));
    expect(worlds.flatMap(({ asked }) => asked)).toEqual([]);
  });

  test("an event that decides nothing is no end, and one without a meaning is the reason", async () => {
    const world = openWorld();
    const reference = newReference();
    const outcome = perform(world, { reference, timeoutMs: 50 });
    expect(world.orders.hear(reference, () => unknown("unmapped_response"))).toBe(true);
    expect(world.orders.hear(reference, () => unknown("in_progress"))).toBe(true);
    expect(await outcome).toEqual(unknown("unmapped_response"));
  });
});

describe("an order is sent once", () => {
  test("whoever asks for it at the same time shares the answer", async () => {
    const world = openWorld();
    const reference = newReference();
    const outcomes = Array.from({ length: 5 }, () => perform(world, { reference }));
    const other = perform(world, { reference, expected: "11 EUR" });
    world.orders.hear(reference, (expected) => (expected === "10 EUR" ? approved : declined));
    expect(await Promise.all(outcomes)).toEqual(Array.from({ length: 5 }, () => approved));
    expect(await other).toEqual(unknown("key_reused"));
    expect(world.sent).toEqual([reference]);
  });

  test("one who cannot wait as long as the first hears that nobody knows", async () => {
    const world = openWorld();
    const reference = newReference();
    const first = perform(world, { reference });
    expect(await perform(world, { reference, timeoutMs: 20 })).toEqual(unknown("timeout"));
    world.orders.hear(reference, () => approved);
    expect(await first).toEqual(approved);
  });

  test("asked for again later, the processor is asked, and what it does not have is not sent again", async () => {
    const world = openWorld();
    const reference = newReference();
    expect(await perform(world, { reference, timeoutMs: 20 })).toEqual(unknown("timeout"));
    expect(await perform(world, { reference })).toEqual(unknown("not_repeated"));
    expect(await perform(world, { reference, answer: found(approved) })).toEqual(approved);
    expect(world.sent).toEqual([reference]);
  });

  test("but what surely never left is", async () => {
    const world = openWorld();
    const reference = newReference();
    const refused = async (): Promise<Sending> => ({ kind: "decided", outcome: notSent("not_connected") });
    expect(await perform(world, { reference, send: refused })).toEqual(notSent("not_connected"));
    expect(await perform(world, { reference, send: async () => ({ kind: "decided", outcome: approved }) })).toEqual(approved);
    expect(world.sent).toEqual([reference, reference]);
  });

  test("a reference that is older than the process is asked about before it is sent", async () => {
    const world = openWorld();
    const old = newReference(Date.now() - 60_000);
    expect(await perform(world, { reference: old, answer: found(declined) })).toEqual(declined);
    expect(world.sent).toEqual([]);
    const unsent = newReference(Date.now() - 60_000);
    expect(await perform(world, { reference: unsent, send: async () => ({ kind: "decided", outcome: approved }) })).toEqual(approved);
    expect([world.asked, world.sent]).toEqual([[old, unsent], [unsent]]);
  });

  test("a reference that had to be forgotten is asked about too", async () => {
    const world = openWorld({ rememberedMax: 2 });
    const send = async (): Promise<Sending> => ({ kind: "decided", outcome: approved });
    const references = [1, 2, 3].map((ms) => newReference(Date.now() + ms));
    for (const reference of references) await perform(world, { reference, send });
    expect(await perform(world, { reference: references[0] as string, send, answer: found(approved) })).toEqual(approved);
    expect(world.sent).toEqual(references);
  });
});

test("what waits is bounded, and nothing is taken while closing", async () => {
  const world = openWorld({ awaitedMax: 1 });
  const first = perform(world, { timeoutMs: 30 });
  expect(await perform(world)).toEqual(notSent("queue_full"));
  await world.orders.close();
  expect(await first).toEqual(unknown("timeout"));
  expect(await perform(world)).toEqual(notSent("closing"));
  expect(await perform(openWorld(), { timeoutMs: -1 })).toEqual(notSent("deadline_exceeded"));
});

test.each([-3_600_000, 3_600_000])(
  "a wall clock that jumps by %i ms while an order waits changes neither its deadline nor who decides",
  async (jumpMs) => {
    const world = openWorld({ askAfterMs: 20 });
    const startedAtMs = performance.now();
    const [heard, silent] = [newReference(), newReference()];
    const orders = [perform(world, { reference: heard, timeoutMs: 1_000 }), perform(world, { reference: silent, timeoutMs: 1_000 })];
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + jumpMs);
    try {
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(world.orders.hear(heard, () => approved)).toBe(true);
      expect(await Promise.all(orders)).toEqual([approved, unknown("timeout")]);
      expect(performance.now() - startedAtMs).toBeLessThan(4_000);
    } finally {
      clock.mockRestore();
    }
  },
);
