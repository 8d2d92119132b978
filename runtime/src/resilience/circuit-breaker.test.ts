import { required } from "@florin/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CallResult, type CircuitSettings, type CircuitState, createCircuitBreaker, type Ticket } from "./circuit-breaker.ts";

const settings: CircuitSettings = { failureShare: 0.5, volumeMin: 10, windowMs: 2_000, slowAfterMs: 1_500, openMs: 1_000, probesMax: 3 };

function open(changes: Partial<CircuitSettings> = {}) {
  const clock = { ms: 0 };
  const states: CircuitState[] = [];
  const breaker = createCircuitBreaker({
    settings: { ...settings, ...changes },
    now: () => clock.ms,
    onChange: (state) => states.push(state),
  });
  const admit = (): Ticket => required(breaker.admit(), "a ticket");
  const call = (result: CallResult, times = 1): void => {
    for (let count = 0; count < times; count += 1) breaker.settle(admit(), result);
  };
  return { breaker, clock, states, admit, call };
}

/** Opened by failures at 0 ms, and so long ago that probes are let through. */
function halfOpen() {
  const stage = open();
  stage.call("failure", 10);
  stage.clock.ms = 1_000;
  return stage;
}

describe("a closed circuit", () => {
  test("opens at half of the results, not below, and lets nothing through then", () => {
    const { breaker, call } = open();
    call("success", 10);
    call("failure", 9);
    expect(breaker.state).toBe("closed");
    call("failure");
    expect(breaker.state).toBe("open");
    expect(breaker.admit()).toBeUndefined();
  });

  test("stays closed while there are too few results to judge by", () => {
    const { breaker, call } = open();
    call("failure", 9);
    expect(breaker.state).toBe("closed");
    call("failure");
    expect(breaker.state).toBe("open");
  });

  test("forgets results that are older than the window", () => {
    const { breaker, clock, call } = open();
    call("failure", 9);
    clock.ms = 2_000;
    call("failure");
    expect(breaker.state).toBe("closed");
  });

  test("is not moved by results that say nothing about the party", () => {
    const { breaker, call } = open();
    call("failure", 9);
    call("ignored", 100);
    expect(breaker.state).toBe("closed");
  });

  test("opens for calls that have no answer after the slow mark, before any of them ends", () => {
    const { breaker, clock, admit } = open();
    // Ten calls a slice to a party that hangs from the first one on.
    for (; breaker.state === "closed" && clock.ms < 10_000; clock.ms += 200)
      for (let count = 0; count < 10 && breaker.isAdmitting; count += 1) admit();
    expect(clock.ms).toBeGreaterThanOrEqual(settings.slowAfterMs);
    expect(clock.ms).toBeLessThanOrEqual(2_000);
  });

  test("counts a slow call once, though its answer arrives at last", () => {
    const { breaker, clock, admit, call } = open();
    const slow = Array.from({ length: 9 }, admit);
    for (; clock.ms < 1_800; clock.ms += 200) expect(breaker.state).toBe("closed");
    for (const ticket of slow) breaker.settle(ticket, "failure");
    expect(breaker.state).toBe("closed");
    call("failure");
    expect(breaker.state).toBe("open");
  });

  test("does not blame the party when this process stood still", () => {
    const { breaker, clock, admit } = open();
    const tickets = Array.from({ length: 100 }, admit);
    clock.ms = 3_000;
    expect(breaker.state).toBe("closed");
    for (const ticket of tickets) breaker.settle(ticket, "failure");
    expect(breaker.state).toBe("closed");
  });
});

describe("a circuit that opened", () => {
  test("lets as many probes through as it needs, and only after its time", () => {
    const { breaker, clock } = halfOpen();
    clock.ms = 999;
    expect(breaker.admit()).toBeUndefined();
    clock.ms = 1_000;
    expect([1, 2, 3, 4].map(() => breaker.admit() !== undefined)).toEqual([true, true, true, false]);
    expect([breaker.state, breaker.isAdmitting]).toEqual(["half_open", false]);
  });

  test("closes when every probe succeeds, and old failures are forgotten", () => {
    const { breaker, states, call } = halfOpen();
    call("success", 3);
    call("failure", 9);
    expect(breaker.state).toBe("closed");
    expect(states).toEqual(["open", "half_open", "closed"]);
  });

  test("opens again at the first probe that fails, for its whole time", () => {
    const { breaker, clock, call } = halfOpen();
    clock.ms = 1_500;
    call("success", 2);
    call("failure");
    clock.ms = 2_499;
    expect(breaker.state).toBe("open");
    clock.ms = 2_500;
    expect(breaker.state).toBe("half_open");
  });

  test("opens again when a probe gets no answer", () => {
    const { breaker, clock } = halfOpen();
    for (; clock.ms < 3_000 && breaker.state === "half_open"; clock.ms += 100) breaker.admit();
    expect(breaker.state).toBe("open");
  });

  test("gives a probe back that said nothing about the party", () => {
    const { breaker, call } = halfOpen();
    call("ignored", 10);
    call("success", 3);
    expect(breaker.state).toBe("closed");
  });

  test("is not moved by calls that began before it opened", () => {
    const { breaker, clock, admit, call } = open();
    const early = Array.from({ length: 20 }, admit);
    call("failure", 10);
    clock.ms = 1_000;
    expect(breaker.state).toBe("half_open");
    for (const ticket of early) breaker.settle(ticket, "success");
    expect(breaker.state).toBe("half_open");
  });
});

describe("where calls are few", () => {
  const few = { failuresInRow: 4, refusalsMin: 3, openMsMax: 8_000 };
  /** One call at a time, so many ms apart, each with its end `lastsMs` later; how many were let through. */
  const oneByOne = (
    o: ReturnType<typeof open>,
    calls: number,
    everyMs: number,
    end: { readonly lastsMs: number; readonly as: CallResult },
  ) => {
    const underWay: { readonly ticket: Ticket; readonly endsAtMs: number }[] = [];
    let admitted = 0;
    for (let count = 0; count < calls; count += 1) {
      const next = o.clock.ms + everyMs;
      for (const one of underWay.filter(({ endsAtMs }) => endsAtMs <= o.clock.ms)) {
        underWay.splice(underWay.indexOf(one), 1);
        o.breaker.settle(one.ticket, end.as);
      }
      const ticket = o.breaker.admit();
      if (ticket !== undefined) admitted += 1;
      if (ticket !== undefined) underWay.push({ ticket, endsAtMs: o.clock.ms + end.lastsMs });
      o.clock.ms = next;
    }
    return admitted;
  };

  test("failures in a row open it when they last for a window, however few", () => {
    const { breaker, clock, call } = open(few);
    call("failure", 3);
    clock.ms = 1_999;
    call("failure");
    expect(breaker.state).toBe("closed");
    clock.ms = 2_000;
    call("failure");
    expect(breaker.state).toBe("open");
  });

  test("a success between them ends the row; what says nothing does not", () => {
    const { breaker, clock, call } = open(few);
    call("failure", 3);
    clock.ms = 5_000;
    call("success");
    call("failure", 3);
    clock.ms = 10_000;
    call("ignored");
    expect(breaker.state).toBe("closed");
    call("failure");
    expect(breaker.state).toBe("open");
  });

  test.each([
    ["answers with a fault", 10],
    ["gives no answer for 25 s", 25_000],
  ])("a party that %s is left alone, and asked by a few only", (_what, lastsMs) => {
    const stage = open({ volumeMin: 20, ...few });
    const before = oneByOne(stage, 10, 5_000, { lastsMs, as: "failure" });
    expect(before).toBeLessThanOrEqual(9);
    const rest = oneByOne(stage, 300, 5_000, { lastsMs, as: "failure" });
    // After two refusals openMsMax has passed.
    expect(rest).toBeGreaterThan(50);
    expect(rest).toBeLessThanOrEqual(160);
  });

  test("a party that is slow and well is never left alone", () => {
    const stage = open({ volumeMin: 20, ...few });
    expect(oneByOne(stage, 300, 1_000, { lastsMs: 2_000, as: "success" })).toBe(300);
  });

  test("calls that were under way while this process stood still are no row when they fail together", () => {
    const { breaker, clock, admit } = open(few);
    const tickets = Array.from({ length: 100 }, admit);
    clock.ms = 30_000;
    for (const ticket of tickets) breaker.settle(ticket, "failure");
    expect(breaker.state).toBe("closed");
  });

  test("a call counts in the row once, as slow or when it ends", () => {
    const { breaker, clock, admit } = open(few);
    const slow = [admit(), admit(), admit()];
    for (; clock.ms < 2_400; clock.ms += 200) expect(breaker.state).toBe("closed");
    clock.ms = 30_000;
    for (const ticket of slow) breaker.settle(ticket, "failure");
    expect(breaker.state).toBe("closed");
  });

  test("an open circuit tries again when enough have gone elsewhere, or after its longest time", () => {
    const { breaker, clock, call } = open(few);
    call("failure", 10);
    clock.ms = 1_000;
    expect([breaker.state, breaker.admit()]).toEqual(["open", undefined]);
    breaker.passedBy();
    expect(breaker.state).toBe("open");
    breaker.passedBy();
    expect(breaker.state).toBe("half_open");
    call("failure");
    clock.ms += 7_999;
    expect(breaker.state).toBe("open");
    clock.ms += 1;
    expect(breaker.state).toBe("half_open");
  });

  test("a probe without an answer opens it again, also when nobody looked for long", () => {
    const { breaker, clock, admit } = halfOpen();
    const probe = admit();
    clock.ms = 20_000;
    expect(breaker.state).toBe("open");
    breaker.settle(probe, "success");
    expect(breaker.state).toBe("open");
  });
});

type Step =
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "call" }
  | { readonly kind: "end"; readonly which: number; readonly result: CallResult };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 900 }) }) },
  { weight: 5, arbitrary: fc.constant({ kind: "call" as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("end" as const),
      which: fc.nat(30),
      result: fc.constantFrom<CallResult>("success", "failure", "failure", "ignored", "not_taken"),
    }),
  },
);
const steps = fc.array(step, { minLength: 1, maxLength: 300 });
const small: CircuitSettings = { ...settings, volumeMin: 4, slowAfterMs: 700, probesMax: 2 };

type LedgerCall = { readonly atSlice: number; readonly round: number };
const rare: CircuitSettings = { ...small, failuresInRow: 3, refusalsMin: 2, openMsMax: 1_600 };

/** The same rules with a list of every call and result, counted anew at every step. Waits are looked at in steps below the slow mark. */
class Ledger {
  readonly rules: CircuitSettings;
  nowMs = 0;
  state: CircuitState = "closed";
  openUntilMs = 0;
  /** Counts changes of state. */
  round = 0;
  refusals = 0;
  row = { failures: 0, sinceMs: 0 };
  calls: LedgerCall[] = [];
  results: { readonly atSlice: number; readonly isFailure: boolean }[] = [];
  passed = 0;

  constructor(rules: CircuitSettings) {
    this.rules = rules;
  }

  get slice(): number {
    return Math.floor(this.nowMs / 200);
  }

  look(): void {
    const { openMs, openMsMax = openMs, refusalsMin = 0 } = this.rules;
    const isLongest = this.nowMs >= this.openUntilMs + openMsMax - openMs;
    if (this.state === "open" && this.nowMs >= this.openUntilMs && (isLongest || this.refusals >= refusalsMin)) this.become("half_open");
    const slow = this.calls.filter(({ atSlice }) => this.slice - atSlice > 4);
    this.calls = this.calls.filter((one) => !slow.includes(one));
    if (slow.length > 0) this.count(slow.map(() => true));
  }

  become(state: CircuitState): void {
    this.state = state;
    this.calls = [];
    this.results = [];
    this.passed = 0;
    this.refusals = 0;
    this.round += 1;
    this.row = { failures: 0, sinceMs: 0 };
    if (state === "open") this.openUntilMs = this.nowMs + this.rules.openMs;
  }

  count(failures: readonly boolean[]): void {
    if (this.state === "half_open") {
      this.passed += failures.filter((isFailure) => !isFailure).length;
      if (failures.includes(true)) this.become("open");
      else if (this.passed >= this.rules.probesMax) this.become("closed");
      return;
    }
    this.results.push(...failures.map((isFailure) => ({ atSlice: this.slice, isFailure })));
    const counted = this.results.filter(({ atSlice }) => this.slice - atSlice < 10);
    const failed = counted.filter(({ isFailure }) => isFailure).length;
    if (failures.includes(false)) this.row.failures = 0;
    if (!failures.includes(true)) return;
    if (this.row.failures === 0) this.row.sinceMs = this.nowMs;
    this.row.failures += failures.length;
    const { failuresInRow = Number.POSITIVE_INFINITY, volumeMin, windowMs } = this.rules;
    const isRow = this.row.failures >= failuresInRow && this.nowMs - this.row.sinceMs >= windowMs;
    if (isRow || (counted.length >= volumeMin && failed >= counted.length / 2)) this.become("open");
  }

  end(call: LedgerCall, result: CallResult): void {
    if (this.calls.includes(call)) {
      this.calls = this.calls.filter((other) => other !== call);
      const isProbeLost = result === "not_taken" && this.state === "half_open";
      if (result === "success" || result === "failure" || isProbeLost) this.count([result !== "success"]);
    } else if (call.round === this.round && result === "success") this.row.failures = 0;
  }

  get admits(): boolean {
    if (this.state === "half_open") return this.calls.length + this.passed < this.rules.probesMax;
    return this.state === "closed";
  }
}

describe("for any order of calls, answers and waits", () => {
  test.each([
    ["", small],
    [", where calls are few too", rare],
  ])("it does what counting every call anew would do%s", (_where, rules) => {
    fc.assert(
      fc.property(steps, (taken) => {
        const ledger = new Ledger(rules);
        const breaker = createCircuitBreaker({ settings: rules, now: () => ledger.nowMs });
        const underWay: { readonly ticket: Ticket; readonly call: LedgerCall }[] = [];
        const agree = (): void => {
          ledger.look();
          expect([breaker.state, breaker.isAdmitting]).toEqual([ledger.state, ledger.admits]);
        };
        for (const one of taken) {
          if (one.kind === "wait") ledger.nowMs += Math.min(one.ms, 790);
          agree();
          if (one.kind === "call") {
            const ticket = breaker.admit();
            expect(ticket !== undefined).toBe(ledger.admits);
            if (ticket === undefined) {
              ledger.refusals += 1;
              continue;
            }
            const call = { atSlice: ledger.slice, round: ledger.round };
            ledger.calls.push(call);
            underWay.push({ ticket, call });
          } else if (one.kind === "end" && underWay.length > 0) {
            const [ended] = underWay.splice(one.which % underWay.length, 1);
            const { ticket, call } = required(ended, "a call under way");
            breaker.settle(ticket, one.result);
            ledger.end(call, one.result);
          }
          agree();
        }
      }),
      { numRuns: 500 },
    );
  });

  test("successes in time never open it", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000), { maxLength: 200 }), (waits) => {
        const { breaker, clock, call } = open();
        for (const waitMs of waits) {
          clock.ms += waitMs;
          call("success");
        }
        return breaker.state === "closed";
      }),
    );
  });

  test("a party that is well again is asked again, however it failed before", () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const clock = { ms: 0 };
        const breaker = createCircuitBreaker({ settings: small, now: () => clock.ms });
        for (const one of taken) {
          if (one.kind === "wait") clock.ms += one.ms;
          const ticket = one.kind === "call" ? undefined : breaker.admit();
          if (ticket !== undefined && one.kind === "end") breaker.settle(ticket, one.result);
        }
        // Probes that never ended become slow, and the circuit opens once more: twice its time and the slow mark are enough.
        const wellFromMs = clock.ms;
        for (; clock.ms < wellFromMs + 4_000; clock.ms += 100) {
          const ticket = breaker.admit();
          if (ticket !== undefined) breaker.settle(ticket, "success");
        }
        return breaker.state === "closed";
      }),
    );
  });
});
