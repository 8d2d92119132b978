/** kill -9 of our own processes: at each named crash point of the switch, and at moments of no choice. */
import type { ServiceName } from "../../../../scripts/up/services.ts";
import { between, oneOf } from "../random.ts";
import type { Fault, Strike } from "./fault.ts";

/** The switch's own names of them (FLORIN_CRASH_POINT). */
export const crashPoints = [
  "after_claim",
  "after_intent_commit",
  "after_send",
  "after_processor_answer",
  "after_outcome_commit",
  "after_remember",
  "before_reply",
] as const;

const readyMsMax = 1_500;
/** From its start; under load the armed point is reached at once. */
const deathWaitMs = 60_000;
const beforeKillMsMax = 900;

/** Those that a payment needs, and the one that it must not need. The simulator is the outside world. */
const victims: readonly ServiceName[] = ["edge", "switch", "connectors", "vault", "ledger"];

async function crashAt(point: string, { stack, pause, lifted }: Strike): Promise<void> {
  await stack.kill("switch");
  const dead = stack.liveOnce("switch", { FLORIN_CRASH_POINT: point }).then(() => true);
  if (!(await Promise.race([dead, pause(deathWaitMs).then(() => false)]))) {
    await stack.kill("switch");
    await stack.startAgain("switch");
    throw new Error(`the switch never came to ${point}`);
  }
  lifted();
  await stack.startAgain("switch");
}

async function killOne(name: ServiceName, { stack, random, pause, lifted }: Strike): Promise<void> {
  await pause(between(random, 0, beforeKillMsMax));
  await stack.kill(name);
  lifted();
  await stack.startAgain(name);
}

const common = { load: "mixed", recoveryMsMax: readyMsMax, refuses: false, anchor: "C1" } as const;

export const processFaults: readonly Fault[] = [
  ...crashPoints.map(
    (point): Fault => ({
      ...common,
      name: `crash_${point}`,
      what: `the switch dies at ${point}, as by kill -9, under load`,
      rounds: { short: 1, full: 5 },
      strike: (strike) => crashAt(point, strike),
    }),
  ),
  ...victims.map(
    (victim): Fault => ({
      ...common,
      name: `kill_${victim}`,
      what: `kill -9 of the ${victim} at a random moment`,
      // Every crash point begins with a kill of the switch.
      rounds: { short: victim === "switch" ? 0 : 1, full: 5 },
      strike: (strike) => killOne(victim, strike),
    }),
  ),
  {
    ...common,
    name: "kill_at_random",
    what: "kill -9 of a random process of ours, again and again",
    rounds: { short: 1, full: 20 },
    strike: (strike) => killOne(oneOf(strike.random, victims), strike),
  },
];
