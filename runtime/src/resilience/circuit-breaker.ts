/**
 * A circuit breaker: stops asking a party that fails, and finds out by a few probes when it is well again.
 *
 * closed → open: at least `volumeMin` results in the sliding window and at least `failureShare` of them failures. A call without an answer
 * is a failure as soon as it is slow, not when it ends: a party that takes 5 s is noticed after `slowAfterMs`. Where calls are too few for
 * the window: `failuresInRow` failures without a success between them, the first of them a window ago; a slow success is one there.
 * open → half-open: `openMs` later, once `refusalsMin` calls have gone elsewhere or `openMsMax` have passed: so where calls are few, a probe is a
 * small share of them too. `probesMax` calls are let through; all succeed: closed, with an empty window; one fails: open again.
 *
 * Invariants
 * - the same work and memory per call, whatever is in flight: calls are counted by the slice of time in which they began;
 * - a call counts once, in the state in which it began: what was let through before the circuit changed says nothing about the party now;
 * - without a look for longer than `slowAfterMs` the calls then under way are forgotten by the window, not blamed: it was this process that stood
 *   still, or nobody called. They count in the row when they end: after a standstill all at once, which is no row. Only probes are blamed.
 * Nothing here waits, queues or has a timer. Not here: what a failure is; whoever calls says so.
 */
import { assert } from "@florin/kernel";

export type CircuitState = "closed" | "open" | "half_open";

/**
 * `ignored`: says nothing about the party (our own overload, a caller that gave up). `not_taken`: what is bound for it is bounded, and the bound is
 * reached. That makes a party that is well none that fails, but a probe has shown that this one is not yet.
 */
export type CallResult = "success" | "failure" | "ignored" | "not_taken";

export type CircuitSettings = {
  /** Share of failures from which the circuit opens, above 0, at most 1. */
  readonly failureShare: number;
  /** Results that the window must hold before it may open (at least 1). */
  readonly volumeMin: number;
  /** Results older than this do not count, ms. A tenth of it is the grain of all times here. */
  readonly windowMs: number;
  /** A call that takes so long is a failure, ms; noticed up to a tenth of the window later. */
  readonly slowAfterMs: number;
  /** How long nothing is let through, ms. */
  readonly openMs: number;
  /** Calls let through to find out whether the party is well (at least 1). */
  readonly probesMax: number;
  /** Failures without a success between them that open the circuit too, at least 2. Absent: none do. */
  readonly failuresInRow?: number;
  /** Calls that must have gone elsewhere before probes are let through. Default 0. */
  readonly refusalsMin?: number;
  /** When probes are let through however few have gone elsewhere, ms, at least `openMs`. Default: then at once. */
  readonly openMsMax?: number;
};

/** A call that was let through. Opaque: hand it back to `settle`. */
export type Ticket = { readonly round: number; readonly slice: number };

export interface CircuitBreaker {
  /** Undefined: do not call. Otherwise settle the ticket when the call has ended. */
  admit(): Ticket | undefined;
  /** Once per ticket. One that counted as slow already, or began in another state, changes nothing. */
  settle(ticket: Ticket, result: CallResult): void;
  /** What `admit` would do now: half-open also while it has no probe left. */
  readonly state: CircuitState;
  /** Whether `admit` would let a call through; takes nothing. */
  readonly isAdmitting: boolean;
  /** A call went elsewhere because of this circuit, without asking `admit`. */
  passedBy(): void;
}

const slicesPerWindow = 10;
/** Standstills in one state whose calls are still known when they end; a call lasts some 25 s. */
const forgettingsMax = 64;

/** `now`: milliseconds of a clock that does not jump. `onChange` is told of every change of state, from within the call that made it. */
export function createCircuitBreaker(o: {
  readonly settings: CircuitSettings;
  readonly now: () => number;
  readonly onChange?: (state: CircuitState) => void;
}): CircuitBreaker {
  return new Breaker(o.settings, o.now, o.onChange ?? (() => {}));
}

class Breaker implements CircuitBreaker {
  readonly #settings: CircuitSettings;
  readonly #now: () => number;
  readonly #onChange: (state: CircuitState) => void;
  readonly #sliceMs: number;
  /** Whole slices after which a call is slow. */
  readonly #slowSlices: number;
  /** Results by slice, a ring. */
  readonly #failures = new Float64Array(slicesPerWindow);
  readonly #results = new Float64Array(slicesPerWindow);
  /** Calls under way by the slice in which they began, a ring: none of them is slow yet. */
  readonly #underWay: Float64Array;
  #failuresSum = 0;
  #resultsSum = 0;
  #state: CircuitState = "closed";
  /** Counts changes of state. */
  #round = 0;
  #slice: number;
  #openUntilMs = 0;
  #probesTaken = 0;
  #probesPassed = 0;
  /** Since it opened. */
  #refusals = 0;
  #failuresInRow = 0;
  #rowSinceMs = 0;
  /** Rounds whose calls were forgotten: the first slice of those that had not counted as slow before. */
  readonly #forgotten = new Map<number, number>();

  constructor(settings: CircuitSettings, now: () => number, onChange: (state: CircuitState) => void) {
    check(settings);
    this.#settings = settings;
    this.#now = now;
    this.#onChange = onChange;
    this.#sliceMs = settings.windowMs / slicesPerWindow;
    this.#slowSlices = Math.ceil(settings.slowAfterMs / this.#sliceMs);
    this.#underWay = new Float64Array(this.#slowSlices + 1);
    this.#slice = Math.floor(now() / this.#sliceMs);
  }

  get state(): CircuitState {
    this.#look();
    return this.#state;
  }

  get isAdmitting(): boolean {
    const { state } = this;
    return state === "closed" || (state === "half_open" && this.#probesTaken < this.#settings.probesMax);
  }

  admit(): Ticket | undefined {
    if (!this.isAdmitting) {
      this.passedBy();
      return undefined;
    }
    if (this.#state === "half_open") this.#probesTaken += 1;
    add(this.#underWay, this.#slice, 1);
    return { round: this.#round, slice: this.#slice };
  }

  settle(ticket: Ticket, result: CallResult): void {
    this.#look();
    if (ticket.round !== this.#round) {
      this.#settleForgotten(ticket, result);
      return;
    }
    if (ticket.slice < this.#slice - this.#slowSlices) {
      // Slow, and counted as such; but a party that answers, however late, fails not in a row.
      if (result === "success") this.#failuresInRow = 0;
      return;
    }
    add(this.#underWay, ticket.slice, -1);
    if (result === "success" || result === "failure") this.#count(result === "failure" ? 1 : 0, 1);
    else if (this.#state === "half_open" && result === "not_taken") this.#count(1, 1);
    else if (this.#state === "half_open") this.#probesTaken -= 1;
  }

  passedBy(): void {
    this.#refusals += 1;
  }

  /** Brings everything to now. */
  #look(): void {
    const nowMs = this.#now();
    if (this.#state === "open" && this.#isTimeForProbes(nowMs)) this.#change("half_open");
    const slice = Math.floor(nowMs / this.#sliceMs);
    const passed = slice - this.#slice;
    if (passed <= 0) return;
    const slow = passed > this.#slowSlices && this.#state === "closed" ? this.#forgetCalls() : this.#takeSlow(passed);
    this.#dropOldResults(passed);
    this.#slice = slice;
    if (slow > 0) this.#count(slow, slow);
  }

  /** Calls that become slow while `passed` slices go by. */
  #takeSlow(passed: number): number {
    let slow = 0;
    for (let step = 1; step <= Math.min(passed, this.#underWay.length); step += 1) {
      const index = (this.#slice + step) % this.#underWay.length;
      // The slice that begins takes the place of the one that is now more than `slowAfterMs` old.
      slow += this.#underWay[index] ?? 0;
      this.#underWay[index] = 0;
    }
    return slow;
  }

  #forgetCalls(): number {
    if (this.#underWay.some((calls) => calls > 0)) {
      this.#forgotten.set(this.#round, this.#slice - this.#slowSlices);
      const [oldest] = this.#forgotten.keys();
      if (this.#forgotten.size > forgettingsMax && oldest !== undefined) this.#forgotten.delete(oldest);
    }
    this.#underWay.fill(0);
    this.#round += 1;
    return 0;
  }

  /** One of another state says nothing about this one; one that was only forgotten counts in the row. */
  #settleForgotten({ round, slice }: Ticket, result: CallResult): void {
    const from = this.#forgotten.get(round);
    if (from === undefined || slice < from || result === "ignored" || result === "not_taken") return;
    this.#countInRow(result === "failure" ? 1 : 0, 1);
    if (this.#isRowLong()) this.#change("open");
  }

  #isTimeForProbes(nowMs: number): boolean {
    const { openMs, openMsMax = openMs, refusalsMin = 0 } = this.#settings;
    if (nowMs < this.#openUntilMs) return false;
    return this.#refusals >= refusalsMin || nowMs >= this.#openUntilMs + openMsMax - openMs;
  }

  #countInRow(failures: number, results: number): void {
    if (results > failures) this.#failuresInRow = 0;
    if (failures === 0) return;
    if (this.#failuresInRow === 0) this.#rowSinceMs = this.#now();
    this.#failuresInRow += failures;
  }

  #isRowLong(): boolean {
    const { failuresInRow = Number.POSITIVE_INFINITY, windowMs } = this.#settings;
    return this.#failuresInRow >= failuresInRow && this.#now() - this.#rowSinceMs >= windowMs;
  }

  #dropOldResults(passed: number): void {
    for (let step = 1; step <= Math.min(passed, slicesPerWindow); step += 1) {
      const index = (this.#slice + step) % slicesPerWindow;
      this.#failuresSum -= this.#failures[index] ?? 0;
      this.#resultsSum -= this.#results[index] ?? 0;
      this.#failures[index] = 0;
      this.#results[index] = 0;
    }
  }

  #count(failures: number, results: number): void {
    if (this.#state === "half_open") {
      this.#probesPassed += results - failures;
      if (failures > 0) this.#change("open");
      else if (this.#probesPassed >= this.#settings.probesMax) this.#change("closed");
      return;
    }
    this.#failuresSum += failures;
    this.#resultsSum += results;
    add(this.#failures, this.#slice, failures);
    add(this.#results, this.#slice, results);
    this.#countInRow(failures, results);
    if (failures > 0 && (this.#isShareReached() || this.#isRowLong())) this.#change("open");
  }

  #isShareReached(): boolean {
    const { failureShare, volumeMin } = this.#settings;
    return this.#resultsSum >= volumeMin && this.#failuresSum >= failureShare * this.#resultsSum;
  }

  #change(state: CircuitState): void {
    this.#state = state;
    this.#round += 1;
    this.#probesTaken = 0;
    this.#probesPassed = 0;
    this.#failuresSum = 0;
    this.#resultsSum = 0;
    this.#refusals = 0;
    this.#failuresInRow = 0;
    this.#forgotten.clear();
    for (const ring of [this.#failures, this.#results, this.#underWay]) ring.fill(0);
    if (state === "open") this.#openUntilMs = this.#now() + this.#settings.openMs;
    this.#onChange(state);
  }
}

function add(ring: Float64Array, slice: number, by: number): void {
  const index = slice % ring.length;
  ring[index] = (ring[index] ?? 0) + by;
}

function check(settings: CircuitSettings): void {
  const {
    failureShare,
    volumeMin,
    windowMs,
    slowAfterMs,
    openMs,
    probesMax,
    failuresInRow = 2,
    refusalsMin = 0,
    openMsMax = openMs,
  } = settings;
  assert(failureShare > 0 && failureShare <= 1, "failureShare is above 0 and at most 1");
  assert(Number.isInteger(volumeMin) && volumeMin >= 1, "volumeMin is an integer of at least 1");
  assert(Number.isInteger(probesMax) && probesMax >= 1, "probesMax is an integer of at least 1");
  assert(Number.isInteger(failuresInRow) && failuresInRow >= 2, "failuresInRow is an integer of at least 2");
  assert(
    Number.isInteger(refusalsMin) && refusalsMin >= 0 && openMsMax >= openMs,
    "refusalsMin is not negative, openMsMax at least openMs",
  );
  assert(windowMs > 0 && slowAfterMs > 0 && openMs > 0, "times of a circuit are above 0 ms");
}
