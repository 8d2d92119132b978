/** What every form of the claims' cache promises: Redis, and the cache of the seeded simulation. */
import { randomBytes, randomUUID } from "node:crypto";
import { makeId } from "@florin/kernel";
import { beforeAll, describe, expect, test } from "vitest";
import type { Claim, Claims, KeyUse } from "./claims.ts";

const merchantId = makeId("merchant", Date.now(), randomBytes(10));
const newPayment = () => makeId("payment", Date.now(), randomBytes(10));
const use = (changes: Partial<KeyUse> = {}): KeyUse => ({
  merchantId,
  mode: "test",
  key: randomUUID(),
  requestHash: Buffer.alloc(32, 7),
  ...changes,
});

type Opened = {
  readonly claims: Claims;
  /** What the claims' clock says. */
  readonly nowMs: number;
  /** Lets the cache's time pass. */
  readonly pass: (delayMs: number) => Promise<unknown>;
};

/** Registers the suite. `open` is called once. */
export function testClaims(name: string, open: () => Promise<Opened>): void {
  describe(`claims ${name}`, () => {
    let claims: Claims;
    let nowMs: number;
    let pass: Opened["pass"];
    beforeAll(async () => {
      ({ claims, nowMs, pass } = await open());
    });
    const claim = (one: KeyUse, paymentId = newPayment()) => claims.claim(one, { paymentId, counters: [] });

    test("the first call of a key claims it, the others see it running, with its time and payment", async () => {
      const [one, paymentId] = [use(), newPayment()];
      const [mine, ...others] = await Promise.all([claim(one, paymentId), claim(one), claim({ ...one, requestHash: Buffer.alloc(32, 8) })]);
      expect(mine).toMatchObject({ kind: "new", counts: [] });
      expect(others).toEqual([
        { kind: "running", isSame: true, startedAtMs: nowMs, paymentId },
        { kind: "running", isSame: false, startedAtMs: nowMs, paymentId },
      ]);
    });

    test("a key in test mode, in live mode and of another merchant are three keys; long keys are told apart", async () => {
      const key = "k".repeat(255);
      const other = makeId("merchant", Date.now(), randomBytes(10));
      const kinds = [];
      for (const one of [
        use({ key }),
        use({ key, mode: "live" }),
        use({ key, merchantId: other }),
        use({ key: `${key.slice(1)}x` }),
        use({ key }),
      ])
        kinds.push((await claim(one)).kind);
      expect(kinds).toEqual(["new", "new", "new", "new", "running"]);
    });

    test("what is remembered is the row that answers, for the same parameters only", async () => {
      const [one, paymentId] = [use(), newPayment()];
      await claim(one, paymentId);
      claims.remember(one, { paymentId, sequence: 12 });
      await expect.poll(async () => (await claim(one)).kind).toBe("decided");
      expect(await claim(one)).toEqual({ kind: "decided", paymentId, sequence: 12 });
      expect(await claim({ ...one, requestHash: Buffer.alloc(32, 8) })).toEqual({ kind: "reused" });
    });

    test("a claim that is given back is free; one that was decided meanwhile stays", async () => {
      const [free, decided] = [use(), use()];
      const claimed = [await claim(free), await claim(decided)].map((answer) => (answer as { readonly claim: Claim }).claim);
      claims.remember(decided, { paymentId: newPayment(), sequence: 2 });
      await expect.poll(async () => (await claim(decided)).kind).toBe("decided");
      for (const one of claimed) claims.release(one);
      await expect.poll(async () => (await claim(free)).kind).toBe("new");
      expect((await claim(decided)).kind).toBe("decided");
    });

    test("counters ride along with a claim, each in its window, and a replay counts nothing", async () => {
      const counters = [
        { name: `a-${randomUUID()}`, windowMs: 60_000 },
        { name: `b-${randomUUID()}`, windowMs: 60_000 },
      ];
      const one = use();
      const count = async (which: KeyUse, some = counters) => claims.claim(which, { paymentId: newPayment(), counters: some });
      expect(await count(one)).toMatchObject({ kind: "new", counts: [1, 1] });
      expect((await count(one)).kind).toBe("running");
      expect(await count(use(), counters.slice(1))).toMatchObject({ counts: [2] });
      expect(await count(use())).toMatchObject({ counts: [2, 3] });
    });

    test("a counter is forgotten with the window of its first count, one of ids forgets each when its own is over", async () => {
      const window = { windowMs: 3_000 };
      const names = [`w-${randomUUID()}`, `u-${randomUUID()}`] as const;
      const count = (counted: string) => {
        const counters = [
          { name: names[0], ...window },
          { name: names[1], ...window, counted },
        ];
        return claims.claim(use(), { paymentId: newPayment(), counters });
      };
      await count("one");
      await pass(2_000);
      expect(await count("two")).toMatchObject({ counts: [2, 2] });
      await pass(2_000);
      expect(await count("three")).toMatchObject({ counts: [1, 2] });
      expect(await claims.countOf(names[1])).toBe(2);
      await pass(1_500);
      expect(await count("four")).toMatchObject({ counts: [2, 2] });
      await pass(4_000);
      expect(await claims.countOf(names[1])).toBe(0);
    });

    test("what is counted by its id is uncounted once, whoever repeats it", async () => {
      const name = `u-${randomUUID()}`;
      // Years: simulated time runs on while the test looks again.
      const counter = (counted: string) => ({ name, windowMs: 10 ** 11, counted });
      const count = (counted: string) => claims.claim(use(), { paymentId: newPayment(), counters: [counter(counted)] });
      await count("one");
      expect(await count("two")).toMatchObject({ counts: [2] });
      for (const counted of ["one", "one", "never"]) claims.uncount(counter(counted));
      await expect.poll(() => claims.countOf(name)).toBe(1);
      expect(await count("two")).toMatchObject({ counts: [1] });
      claims.uncount(counter("two"));
      await expect.poll(() => claims.countOf(name)).toBe(0);
      expect(await count("three")).toMatchObject({ counts: [1] });
    });
  });
}
