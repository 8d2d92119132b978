import { describe, expect, test, vi } from "vitest";
import type { Connector, LinkGrant } from "../contract/connector.ts";
import { createLinkGrants, type GrantRequest } from "./link-grants.ts";

function openGrants(startedAtMs = 1_000.7) {
  const clock = { nowMs: startedAtMs };
  let highest = 0n;
  const taken: LinkGrant[] = [];
  const live = {
    name: "live",
    takeLinkGrant: (grant: LinkGrant) => {
      taken.push(grant);
      if (grant.term < highest) return { result: "lower_term", term: highest } as const;
      highest = grant.term;
      return { result: clock.nowMs < grant.fromMs + grant.validForMs ? "held" : "expired", term: highest } as const;
    },
  } as unknown as Connector;
  const plain = { name: "plain" } as unknown as Connector;
  const counted: unknown[] = [];
  const grants = createLinkGrants({
    registry: new Map([
      ["live", live],
      ["plain", plain],
    ]),
    processId: "here",
    monotonicMs: () => clock.nowMs,
    metrics: { count: (_name: string, labels: unknown) => counted.push(labels) } as never,
    logger: { info: vi.fn() } as never,
  });
  return { clock, taken, grants, counted };
}

const request = (change: Partial<GrantRequest>): GrantRequest => ({
  ...{ connector: "live", term: 1n, validForMs: 5_000, processId: "here", clockMs: 900 },
  ...change,
});

describe("a grant", () => {
  test("is asked for first: the answer tells process and clock, and nothing is granted", () => {
    const { grants, taken, counted } = openGrants();
    expect(grants.grant(request({ processId: "", term: 9n }))).toEqual({ result: "asked", processId: "here", clockMs: 1_000, term: 0n });
    expect([taken, counted]).toEqual([[], []]);
  });

  test("counts from the moment that it names", () => {
    const { grants, taken, counted } = openGrants();
    expect(grants.grant(request({}))).toEqual({ result: "held", processId: "here", clockMs: 1_000, term: 1n });
    expect(taken).toEqual([{ term: 1n, fromMs: 900, validForMs: 5_000 }]);
    expect(counted).toEqual([{ connector: "live", result: "held" }]);
  });

  test("for the process that was here before gives nothing", () => {
    const { grants, taken } = openGrants();
    expect(grants.grant(request({ processId: "before", term: 5n }))).toMatchObject({
      result: "other_process",
      processId: "here",
      term: 0n,
    });
    expect(taken).toEqual([]);
  });

  test("that was on its way for longer than it is valid is over, and one of a lower term is refused", () => {
    const { grants, clock } = openGrants();
    clock.nowMs = 7_000;
    expect(grants.grant(request({ term: 3n }))).toMatchObject({ result: "expired", term: 3n });
    expect(grants.grant(request({ term: 2n, clockMs: 6_900 }))).toMatchObject({ result: "lower_term", term: 3n });
  });

  test.each([
    ["of a connector that is not there", { connector: "none" }],
    ["of a connector without live links", { connector: "plain" }],
    ["from the future", { clockMs: 1_001 }],
  ])("%s is a mistake of the caller", (_name, change) => {
    const { grants, taken } = openGrants();
    expect(() => grants.grant(request(change))).toThrow();
    expect(taken).toEqual([]);
  });
});
