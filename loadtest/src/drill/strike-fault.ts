/** One fault: merchants at work, blow after blow, and after each the wait for the first payment that succeeds again. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DrillStack } from "./drill-stack.ts";
import { type Fault, NotPossibleHere } from "./faults/fault.ts";
import { meaningOf } from "./load/call.ts";
import { Load, loadProfiles } from "./load/load.ts";
import { type Random, seededRandom } from "./random.ts";

export type Struck = {
  readonly fault: Fault;
  readonly load: Load;
  readonly rounds: number;
  /** Of each round, from the mending to the first success; undefined: none came in time. */
  readonly recoveriesMs: readonly (number | undefined)[];
  /** New successes while nothing could be committed. */
  readonly wrongSuccesses: number;
  /** Why the fault could not be made. */
  readonly failure: string | undefined;
  readonly isSkipped: boolean;
};

export type StrikeOptions = {
  readonly stack: DrillStack;
  readonly fault: Fault;
  /** Begins every key of this fault's merchants. */
  readonly name: string;
  readonly tokens: readonly string[];
  readonly seed: number;
  readonly isShort: boolean;
  readonly signal: AbortSignal;
};

const workBeforeMs = 700;
const workBetweenMs = 400;
const successWaitMs = 60_000;
/** Twice the merchants' patience. */
const answersWaitMs = 8_000;
const lookEveryMs = 100;

type Window = { readonly fromMs: number; readonly toMs: number };

export async function strikeFault(o: StrikeOptions): Promise<Struck> {
  const { fault, stack, name, tokens, isShort, signal } = o;
  const load = new Load({ up: stack.up, name, tokens, random: seededRandom(o.seed), profile: loadProfiles[fault.load] });
  const random = seededRandom(o.seed + 1);
  const rounds = Math.max(1, isShort ? fault.rounds.short : fault.rounds.full);
  const recoveriesMs: (number | undefined)[] = [];
  const windows: Window[] = [];
  let [failure, isSkipped] = [undefined as string | undefined, false];
  load.start();
  try {
    await sleep(workBeforeMs, undefined, { signal });
    for (let round = 0; round < rounds; round++) {
      const struck = await strikeOnce({ ...o, load, random });
      if (struck.window !== undefined) windows.push(struck.window);
      recoveriesMs.push(await load.firstSuccessAfter(struck.liftedAtMs, successWaitMs));
      if (struck.window !== undefined && !(await isAsked(load, struck.window, signal)))
        throw new Error("no request came while the fault was in force");
      await sleep(workBetweenMs, undefined, { signal });
    }
  } catch (thrown) {
    signal.throwIfAborted();
    isSkipped = thrown instanceof NotPossibleHere;
    failure = thrown instanceof Error ? thrown.message : String(thrown);
  } finally {
    load.stopArrivals();
  }
  return { fault, load, rounds, recoveriesMs, wrongSuccesses: countSuccesses(load, windows), failure, isSkipped };
}

type Round = StrikeOptions & { readonly load: Load; readonly random: Random };

async function strikeOnce({
  fault,
  stack,
  load,
  random,
  isShort,
  signal,
}: Round): Promise<{ window: Window | undefined; liftedAtMs: number }> {
  let inForceAtMs: number | undefined;
  let liftedAtMs: number | undefined;
  await fault.strike({
    stack,
    load,
    random,
    isShort,
    pause: (durationMs) => sleep(durationMs, undefined, { signal }),
    inForce: () => {
      inForceAtMs = performance.now();
    },
    lifted: () => {
      liftedAtMs ??= performance.now();
    },
  });
  liftedAtMs ??= performance.now();
  const window = fault.refuses && inForceAtMs !== undefined ? { fromMs: inForceAtMs, toMs: liftedAtMs } : undefined;
  return { window, liftedAtMs };
}

/** A request is known by its answer, and who was held up by the fault has none before the merchants' patience is over. */
async function isAsked(load: Load, { fromMs, toMs }: Window, signal: AbortSignal): Promise<boolean> {
  const wasAsked = () => load.calls.some(({ answers }) => answers.some(({ startedAtMs }) => startedAtMs >= fromMs && startedAtMs <= toMs));
  for (let waitedMs = 0; waitedMs < answersWaitMs && !wasAsked(); waitedMs += lookEveryMs) await sleep(lookEveryMs, undefined, { signal });
  return wasAsked();
}

/** Answers that say yes to something new, begun and given while nothing could be written. A replay of what was committed before is right. */
function countSuccesses(load: Load, windows: readonly Window[]): number {
  const answers = load.calls.flatMap((call) => call.answers.filter((answer) => meaningOf(answer) === "yes" && !answer.isReplay));
  return answers.filter(({ startedAtMs, endedAtMs }) => windows.some(({ fromMs, toMs }) => startedAtMs >= fromMs && endedAtMs <= toMs))
    .length;
}
