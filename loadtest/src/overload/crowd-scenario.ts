/**
 * A crowd of twice and four times what this machine can do: the ruler in the same run, then 80 % of it for the reference, then the crowds, each
 * with a look at how soon all is normal again when it has left, and at the end all books.
 *
 * How much comes is of the best of some short steps. What a crowd's goodput is held against is the ruler right before and right after it, the higher
 * of the two: a machine that others use moves by a fifth within minutes, in ten seconds more than in thirty.
 */
import { portDistances } from "../../../scripts/up/ports.ts";
import { authorizePath } from "../bench/measure.ts";
import { amountOf } from "../bench/request.ts";
import { benchEnvironment } from "../bench/settings.ts";
import { type OwnStack, startOwnStack } from "../stack/own-stack.ts";
import type { Answers, Told } from "../verify/answers.ts";
import { verifyRun } from "../verify/verify.ts";
import { type Cores, settleStack, splitCores } from "./cores.ts";
import { type Crowded, crowd, type Place } from "./crowd.ts";
import { atMost, type Held, judgeOverload, type Overloaded } from "./judge.ts";
import type { OverloadOptions } from "./options.ts";
import type { CrowdPlan, CrowdResult } from "./plan.ts";
import { cpuShares, idleShare, type Reading, readStack } from "./readings.ts";
import { printPhase } from "./report.ts";

const simulatorLatency = "20";
/** They stand for no card. Of one card only so many tries may be under way at once, and test mode has few cards. */
const tokens = ["tok_visa_4242", "tok_mastercard_4444", "tok_mastercard_2_series"] as const;
const rulerClients = [64, 128, 256, 512] as const;
const factors = [2, 4] as const;
const referenceShare = 0.8;
const calmShare = 0.5;
const retriesMax = 3;
/** After the reference has told how long things take, and before a crowd comes, caches are warm and queues empty. */
const warmUpSeconds = 3;
const calmSeconds = 8;
/** Clients beside a crowd, per second: few enough to be no crowd, enough for a p99. */
const witnessPerSecond = 200;
const witnessPace = { kind: "rate", perSecond: witnessPerSecond } as const;
const clockSlackMs = 5_000;
/** A door with less to spare is not what is measured any more. */
const idleShareMin = 0.1;
/** Below the words of a phase. */
const indent = " ".repeat(31);

export type ScenarioContext = {
  readonly stack: OwnStack;
  readonly port: number;
  readonly seconds: number;
  readonly cores: Cores | undefined;
};

/** An edge that keeps the tail of what it takes in short rather than taking in a burst: what the figures of the drill are about. */
const shortTail = { FLORIN_IN_FLIGHT_MIN: "360", FLORIN_OWN_TIME_TARGET_MS: "100" };
/** All of them come with the key of one merchant, whose own limit is not what is measured. */
const plentyPerKey = { FLORIN_RATE_PER_KEY_PER_SECOND: "1000000", FLORIN_RATE_PER_KEY_BURST: "1000000" };

/** `isSplit`: the edge on one half of the cores, and the crowd with it; all else on the other (cores.ts). */
export async function withOverloadStack<Answer>(
  options: OverloadOptions,
  { env = {}, isSplit = false }: { readonly env?: Readonly<Record<string, string>>; readonly isSplit?: boolean },
  work: (context: ScenarioContext) => Promise<Answer>,
): Promise<Answer> {
  const { port, seconds } = options;
  const stack = await startOwnStack({
    name: "overload",
    port,
    simulatorLatency,
    env: { ...benchEnvironment, ...shortTail, ...plentyPerKey, ...env },
  });
  const stop = () => {
    void stack.down().finally(() => process.exit(1));
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    const cores = isSplit ? splitCores() : undefined;
    if (cores !== undefined) settleStack(stack.up, cores);
    return await work({ stack, port, seconds, cores });
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    await stack.down();
  }
}

/** Different for every phase: keys and references are never used twice. The run's id begins them all. */
export function phaseMaker({ stack: { up }, port, cores }: ScenarioContext, runId: string) {
  const { hostname, port: edgePort } = new URL(up.edgeUrl);
  let phases = 0;
  /** `onMark` is called when the measured time begins and when it ends. */
  return async (
    { manners = "crowd", ...o }: Pick<CrowdPlan, "pace" | "seconds"> & Partial<CrowdPlan> & Partial<Pick<Place, "manners">>,
    onMark = () => {},
  ): Promise<Crowded<Reading>> => {
    phases += 1;
    const target = { host: hostname, port: Number(edgePort), path: authorizePath, secretKey: up.secretKey, tokens };
    const plan: CrowdPlan = { ...target, runId: `${runId}-${phases}`, warmUpSeconds, retriesMax, ...o };
    const at = (part: "edgeAdmin" | "switchAdmin" | "connectorsAdmin") => `http://127.0.0.1:${port + portDistances[part]}`;
    const read = () => {
      onMark();
      return readStack(up, { edge: at("edgeAdmin"), switch: at("switchAdmin"), connectors: at("connectorsAdmin") });
    };
    return crowd(plan, read, cores && { cores: cores.door, manners });
  };
}

export async function runCrowdScenario(options: OverloadOptions): Promise<readonly Held[]> {
  return withOverloadStack(options, { isSplit: true }, async (context) => {
    const startedAtMs = Date.now() - clockSlackMs;
    const runId = `ov${startedAtMs.toString(36)}`;
    const told = new Map<string, Told>();
    const steps: Steps = { phase: phaseMaker(context, runId), note: noteMaker(context, told) };
    const { peak, calm } = await measureReference(context, steps);
    const held: Held[] = [];
    let before = await measureRuler(context, steps, peak);
    for (const factor of factors) {
      const overloaded = await overload(context, steps, { factor, peakPerSecond: peak.perSecond });
      const after = await measureRuler(context, steps, peak);
      held.push(...judgeOverload({ peakPerSecond: Math.max(before, after), calm }, overloaded));
      before = after;
    }
    held.push(...(await judgeBooks(context, { runId, startedAtMs, told })));
    return held;
  });
}

type Steps = { readonly phase: ReturnType<typeof phaseMaker>; readonly note: ReturnType<typeof noteMaker> };

/** Prints a phase, and remembers what its clients were told. */
function noteMaker({ cores }: ScenarioContext, told: Map<string, Told>) {
  return (name: string, { result, before, after }: Crowded<Reading>): CrowdResult => {
    addTold(told, result);
    const shares = cpuShares(before, after);
    printPhase(name, result, shares);
    if (cores !== undefined) {
      const door = idleShare(before, after, 0, cores.doorCount);
      console.log(`${indent}idle: before the door ${door.toFixed(2)}, behind it ${idleShare(before, after, cores.doorCount).toFixed(2)}`);
      if (door < idleShareMin) console.log("the crowd and the door filled their cores: what this phase tells is too small a machine");
    }
    return result;
  };
}

/** So many clients at once were accepted most often. */
type Peak = { readonly clients: number; readonly perSecond: number };

async function measureReference(
  { seconds }: ScenarioContext,
  { phase, note }: Steps,
): Promise<{ readonly peak: Peak; readonly calm: CrowdResult }> {
  const stepSeconds = Math.max(5, Math.round(seconds / 6));
  // The first seconds of a process are its slowest; they are nobody's peak.
  note("first steps", await phase({ pace: { kind: "saturate", clients: 64 }, seconds: stepSeconds }));
  let peak: Peak = { clients: 0, perSecond: 0 };
  for (const clients of rulerClients) {
    const result = note(`${clients} at once`, await phase({ pace: { kind: "saturate", clients }, seconds: stepSeconds }));
    const perSecond = result.accepted / result.seconds;
    if (perSecond > peak.perSecond) peak = { clients, perSecond };
  }
  if (peak.perSecond === 0) throw new Error("the stack accepted nothing");
  const perSecond = Math.round(referenceShare * peak.perSecond);
  const [beside, calm] = await Promise.all([
    phase({ pace: { kind: "rate", perSecond: perSecond - witnessPerSecond }, seconds }),
    phase({ pace: witnessPace, seconds, manners: "witness" }),
  ]);
  note(`reference, 80 %, ${perSecond}/s`, beside);
  return { peak, calm: note("a witness in it", calm) };
}

/** Accepted per second by as many clients as the peak had, half as long as a crowd. */
async function measureRuler({ seconds }: ScenarioContext, { phase, note }: Steps, { clients }: Peak): Promise<number> {
  const pace = { kind: "saturate", clients } as const;
  const result = note(`ruler, ${clients} at once`, await phase({ pace, seconds: Math.max(5, Math.round(seconds / 2)) }));
  return result.accepted / result.seconds;
}

async function overload(
  { seconds }: ScenarioContext,
  { phase, note }: Steps,
  { factor, peakPerSecond }: { readonly factor: number; readonly peakPerSecond: number },
): Promise<Overloaded> {
  const perSecond = Math.round(factor * peakPerSecond);
  const [crowded, witness] = await Promise.all([
    phase({ pace: { kind: "rate", perSecond }, seconds, warmUpSeconds: 0 }),
    phase({ pace: witnessPace, seconds, warmUpSeconds: 0, manners: "witness" }),
  ]);
  const pace = { kind: "rate", perSecond: Math.round(calmShare * peakPerSecond) } as const;
  const after = await phase({ pace, seconds: calmSeconds, warmUpSeconds: 0, manners: "clients" });
  const { accepted, seconds: measuredSeconds } = note(`${factor}x, ${perSecond}/s`, crowded);
  console.log(`${indent}of the best step at the beginning: ${(accepted / measuredSeconds / peakPerSecond).toFixed(2)}`);
  note("a witness beside it", witness);
  note("and after it", after);
  return overloadedOf({ factor, perSecond }, { crowded, witness: witness.result, after: after.result });
}

function overloadedOf(
  asked: Pick<Overloaded, "factor" | "perSecond">,
  o: { readonly crowded: Crowded<Reading>; readonly witness: CrowdResult; readonly after: CrowdResult },
): Overloaded {
  const { result, before, after } = o.crowded;
  const growth = [...after.residentBytes].map(([name, bytes]) => bytes - (before.residentBytes.get(name) ?? bytes));
  return {
    ...asked,
    crowd: result,
    witness: o.witness,
    after: o.after,
    switchOperations: after.switchOperations - before.switchOperations,
    refusedInTimeShare: (after.refusalsInTime - before.refusalsInTime) / Math.max(1, after.refusals - before.refusals),
    residentGrowthBytes: Math.max(0, ...growth),
  };
}

export function addTold(told: Map<string, Told>, { payments }: CrowdResult): void {
  const nothing = { captured: 0, captures: 0, refunded: 0, refunds: 0, unsureCaptured: 0, unsureRefunded: 0 };
  for (const [number, id] of payments) told.set(id, { ...nothing, authorized: amountOf(number) });
}

/** Of every phase: what clients were told against the log, the acquirer's books and the ledger. */
export async function judgeBooks(
  { stack }: ScenarioContext,
  run: { readonly runId: string; readonly startedAtMs: number; readonly told: ReadonlyMap<string, Told> },
): Promise<readonly Held[]> {
  const window = { runId: run.runId, startedAtMs: run.startedAtMs, endedAtMs: Date.now() + clockSlackMs };
  const answers: Answers = { payments: run.told, accepted: {}, refused: {}, unsure: {} };
  const { checks } = await verifyRun(stack.up, window, answers);
  for (const { name, examples } of checks) for (const example of examples) console.log(`${name}: ${example}`);
  return (["lost", "doubled", "unbalanced", "open"] as const).map((figure) => {
    const differences = checks.filter((one) => one.figure === figure).reduce((sum, one) => sum + one.differences, 0);
    return atMost(`${figure}, of ${run.told.size} accepted`, differences, 0);
  });
}
