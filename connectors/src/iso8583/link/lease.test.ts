import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Lease, leaseStage, noLease, takeGrant } from "./lease.ts";

const now = 1_000_000;
const held: Lease = { term: 7n, untilMs: now + 3_000 };
const over: Lease = { term: 7n, untilMs: now - 1 };

/** Lease, grant (term, moment it counts from, validity) at `now`; result and end of the lease from now on. */
const table: readonly (readonly [string, Lease, readonly [bigint, number, number], string, bigint, number])[] = [
  ["the first grant is held", noLease, [1n, now - 200, 5_000], "held", 1n, now + 4_800],
  ["a repetition extends", held, [7n, now - 200, 5_000], "held", 7n, now + 4_800],
  ["an older one of the same term takes nothing away", held, [7n, now - 4_000, 5_000], "held", 7n, now + 3_000],
  ["a higher term is held", held, [8n, now - 200, 5_000], "held", 8n, now + 4_800],
  ["a higher term counts alone, also when it ends sooner", held, [8n, now - 4_000, 5_000], "held", 8n, now + 1_000],
  ["a higher term that is over when it comes ends what an earlier one allowed", held, [8n, now - 9_000, 5_000], "expired", 8n, now - 4_000],
  ["a lower term is refused, and changes nothing", held, [6n, now, 5_000], "lower_term", 7n, now + 3_000],
  ["a lower term is refused after the end too", over, [6n, now, 5_000], "lower_term", 7n, now - 1],
  ["a lease that is over begins anew", over, [7n, now - 200, 5_000], "held", 7n, now + 4_800],
  ["a grant that was on its way for longer than it is valid is over", over, [7n, now - 5_000, 5_000], "expired", 7n, now],
  ["it is over at its end, not after it", noLease, [1n, now - 5_000, 5_000], "expired", 1n, now],
];

test.each(table)("%s", (_name, lease, [term, fromMs, validForMs], result, termAfter, untilMs) => {
  expect(takeGrant(lease, { term, fromMs, validForMs }, now)).toEqual({ result, lease: { term: termAfter, untilMs } });
});

test("whatever grants come in whatever order, the term never falls and nothing outlasts the longest grant of its term", () => {
  const anyGrant = fc.record({
    term: fc.bigInt({ min: 1n, max: 4n }),
    fromMs: fc.integer({ min: 0, max: 5_000 }),
    validForMs: fc.integer({ min: 1, max: 5_000 }),
  });
  fc.assert(
    fc.property(fc.array(anyGrant, { maxLength: 40 }), (grants) => {
      let lease = noLease;
      const longest = new Map<bigint, number>();
      for (const grant of grants) {
        const before = lease;
        const step = takeGrant(lease, grant, 5_000);
        lease = step.lease;
        longest.set(grant.term, Math.max(longest.get(grant.term) ?? 0, grant.fromMs + grant.validForMs));
        expect(lease.term >= before.term).toBe(true);
        expect(step.result === "lower_term").toBe(grant.term < before.term);
        expect(lease.untilMs).toBeLessThanOrEqual(longest.get(lease.term) ?? 0);
        if (lease.term === before.term) expect(lease.untilMs).toBeGreaterThanOrEqual(before.untilMs);
      }
    }),
  );
});

describe("towards its end a lease", () => {
  const settings = { endingMs: 1_000, signOffMs: 400 };
  test.each([
    [5_000, false, "held"],
    [1_001, true, "held"],
    [1_000, false, "ending"],
    [1_000, true, "last"],
    [401, false, "ending"],
    [400, false, "last"],
    [1, true, "last"],
    [0, true, "over"],
    [-1, false, "over"],
    [Number.NEGATIVE_INFINITY, true, "over"],
  ] as const)("with %i ms left, quiet %s, is %s", (remainingMs, isQuiet, stage) => {
    expect(leaseStage(settings, remainingMs, isQuiet)).toBe(stage);
  });
});
