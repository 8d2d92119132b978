/** What a stack that is asked for too much must show (C14, C15): figures, limits, and the words that say whether they hold. Pure. */
import type { CrowdResult } from "./plan.ts";

export type Held = {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
  readonly isHeld: boolean;
  /** Tells of the machine too: where others work on it, it is shown and not judged. */
  readonly isTimed: boolean;
};

const mebibyte = 1_048_576;

const limits = {
  /** A crowd that falls behind its clock is not as large as it says. */
  cameShareMin: 0.98,
  /** Of the peak. */
  goodputShareMin: 0.9,
  /** p99 of what is accepted, times its value at 80 % of the peak. */
  p99Growth: 2,
  sentAwayMsMax: 5,
  refusedInTimeShareMin: 0.99,
  normalAgainSecondsMax: 3,
  residentGrowthBytesMax: 64 * mebibyte,
  /** Operations of the switch per call sent away: those that are under way when the time begins and ends are not told apart. */
  workPerRefusalMax: 0.02,
  othersP99Growth: 1.2,
} as const;

export function atMost(name: string, value: number, limit: number, unit = ""): Held {
  return { name, value, limit, unit, isHeld: value <= limit, isTimed: false };
}

export function atLeast(name: string, value: number, limit: number, unit = ""): Held {
  return { name, value, limit, unit, isHeld: value >= limit, isTimed: false };
}

const timed = (held: Held): Held => ({ ...held, isTimed: true });

export type Overloaded = {
  readonly factor: number;
  /** Clients that should come. */
  readonly perSecond: number;
  readonly crowd: CrowdResult;
  /** A few clients beside the crowd whose computer is not busy with being a crowd: what a merchant hears. */
  readonly witness: CrowdResult;
  /** After the crowd has left, at half of the peak. */
  readonly after: CrowdResult;
  readonly switchOperations: number;
  /** Share of the 503s that left the edge within 5 ms of their request's head, 0 to 1. */
  readonly refusedInTimeShare: number;
  readonly residentGrowthBytes: number;
};

export type Reference = {
  /** Accepted per second at the most, beside the crowd that is judged: right before or right after it. */
  readonly peakPerSecond: number;
  /** The witness's, at 80 %. */
  readonly calm: CrowdResult;
};

export function judgeOverload(
  reference: Reference,
  { factor, perSecond, crowd, witness, after, switchOperations, refusedInTimeShare, residentGrowthBytes }: Overloaded,
): readonly Held[] {
  const at = `${factor}x: `;
  const accepted = crowd.accepted / crowd.seconds + witness.accepted / witness.seconds;
  const others = othersOf(crowd) + othersOf(witness);
  // A crowd of thousands in one process hears late what came in time: how long things take is what the witness says.
  const { p99 } = reference.calm.acceptedMs;
  return [
    timed(atLeast(`${at}clients that came, of those who should`, crowd.clients / crowd.seconds / perSecond, limits.cameShareMin)),
    timed(atLeast(`${at}goodput, of the peak`, accepted / reference.peakPerSecond, limits.goodputShareMin)),
    timed(atMost(`${at}p99 of what was accepted`, witness.acceptedMs.p99, limits.p99Growth * p99, "ms")),
    timed(atLeast(`${at}503s that left the edge within 5 ms`, refusedInTimeShare, limits.refusedInTimeShareMin)),
    timed(atMost(`${at}503 at the client, p99`, witness.sentAwayMs.p99, limits.sentAwayMsMax, "ms")),
    atMost(
      `${at}operations of the switch per call sent away`,
      workFor(crowd, switchOperations - witness.accepted - others),
      limits.workPerRefusalMax,
    ),
    atMost(`${at}answers that are neither 201 nor 503`, others, 0),
    timed(atMost(`${at}normal again after`, secondsUntilNormal(after, limits.p99Growth * p99), limits.normalAgainSecondsMax, "s")),
    atMost(
      `${at}growth of resident memory, largest process`,
      residentGrowthBytes / mebibyte,
      limits.residentGrowthBytesMax / mebibyte,
      "MiB",
    ),
  ];
}

/** Answers that a full house does not give. */
function othersOf({ others }: CrowdResult): number {
  return Object.values(others).reduce((sum, count) => sum + count, 0);
}

/** What the switch did besides answering those who were let in, per call that was sent away. */
function workFor({ accepted, sentAway }: CrowdResult, operations: number): number {
  return Math.max(0, operations - accepted) / Math.max(1, sentAway);
}

/** The first second from which on everybody is let in, and nobody waits longer than `worstMs`; the length of the run when there is none. */
export function secondsUntilNormal({ bySecond }: CrowdResult, worstMs: number): number {
  const bad = bySecond.map(({ notAccepted, acceptedMsWorst }) => notAccepted > 0 || acceptedMsWorst > worstMs);
  return bad.lastIndexOf(true) + 1;
}

/** A merchant at twenty times its rate, and the others beside it. */
export function judgeNoisy(o: { readonly alone: CrowdResult; readonly beside: CrowdResult; readonly noisy: CrowdResult }): readonly Held[] {
  const notAccepted = o.beside.requests - o.beside.accepted;
  return [
    atMost("noisy: calls of the others that were not accepted", notAccepted, 0),
    timed(atMost("noisy: p99 of the others", o.beside.acceptedMs.p99, limits.othersP99Growth * o.alone.acceptedMs.p99, "ms")),
    atLeast("noisy: calls of the noisy one that were refused", o.noisy.limited + o.noisy.sentAway, 1),
  ];
}

/** One phase of a processor that is not well, beside one that is. */
export type Ailing = {
  readonly name: string;
  readonly result: CrowdResult;
  /** Calls that may wait for the ailing processor: those of the first two seconds, and the probes that find out whether it is well. */
  readonly lateMax: number;
  /** Of all calls, how many may end without a decision: those that were with it at the moment it failed. */
  readonly undecidedShareMax: number;
};

/** "Within two seconds": from the third second on nobody hears of it. */
const reactSeconds = 2;

export function judgeAiling({ name, result, lateMax, undecidedShareMax }: Ailing): readonly Held[] {
  const afterwards = result.bySecond.slice(reactSeconds).reduce((sum, { notAccepted }) => sum + notAccepted, 0);
  const undecided = result.requests - result.accepted;
  return [
    atMost(`${name}: calls not accepted, of ${result.requests}`, undecided, Math.ceil(undecidedShareMax * result.requests)),
    timed(atMost(`${name}: of them after two seconds`, afterwards, Math.ceil((undecidedShareMax * result.requests) / 2))),
    timed(atMost(`${name}: calls that took longer than a second`, result.acceptedLate, lateMax)),
  ];
}
