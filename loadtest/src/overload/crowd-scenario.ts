/**
 * A crowd of twice and four times what this machine can do: the ruler in the same run, then 80 % of it for the reference, then the crowds, each
 * with a look at how soon all is normal again when it has left, and at the end all books.
 */
import { portDistances } from "../../../scripts/up/ports.ts";
import { authorizePath } from "../bench/measure.ts";
import { amountOf } from "../bench/request.ts";
import { benchEnvironment } from "../bench/settings.ts";
import { type OwnStack, startOwnStack } from "../stack/own-stack.ts";
import type { Answers, Told } from "../verify/answers.ts";
import { verifyRun } from "../verify/verify.ts";
import { type Cores, settleStack, splitCores } from "./cores.ts";
import { type Crowded, crowd } from "./crowd.ts";
import { atMost, type Held, judgeOverload, type Overloaded, type Reference } from "./judge.ts";
import type { OverloadOptions } from "./options.ts";
import type { CrowdPlan, CrowdResult } from "./plan.ts";
import { cpuShares, type Reading, readStack } from "./readings.ts";
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
const clockSlackMs = 5_000;
/** Of the cores of crowd and door; what the kernel does for them comes on top. */
const fullShare = 0.9;

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
  return async (o: Pick<CrowdPlan, "pace" | "seconds"> & Partial<CrowdPlan>, onMark = () => {}): Promise<Crowded<Reading>> => {
    phases += 1;
    const target = { host: hostname, port: Number(edgePort), path: authorizePath, secretKey: up.secretKey, tokens };
    const plan: CrowdPlan = { ...target, runId: `${runId}-${phases}`, warmUpSeconds, retriesMax, ...o };
    const at = (part: "edgeAdmin" | "switchAdmin" | "connectorsAdmin") => `http://127.0.0.1:${port + portDistances[part]}`;
    const read = () => {
      onMark();
      return readStack(up, { edge: at("edgeAdmin"), switch: at("switchAdmin"), connectors: at("connectorsAdmin") });
    };
    return crowd(plan, read, cores?.door);
  };
}

export async function runCrowdScenario(options: OverloadOptions): Promise<readonly Held[]> {
  return withOverloadStack(options, { isSplit: true }, async (context) => {
    const startedAtMs = Date.now() - clockSlackMs;
    const runId = `ov${startedAtMs.toString(36)}`;
    const phase = phaseMaker(context, runId);
    const told = new Map<string, Told>();
    const note = (name: string, crowded: Crowded<Reading>): CrowdResult => {
      addTold(told, crowded.result);
      const shares = cpuShares(crowded.before, crowded.after);
      printPhase(name, crowded.result, shares);
      if (context.cores !== undefined && isDoorFull(context.cores, crowded.result.cpuShare + (shares.get("edge") ?? 0)))
        console.log("the crowd and the door filled their cores: what this phase tells is too small a machine");
      return crowded.result;
    };
    const reference = await measureReference(context, phase, note);
    const held: Held[] = [];
    for (const factor of factors) {
      const perSecond = Math.round(factor * reference.peakPerSecond);
      const crowded = await phase({ pace: { kind: "rate", perSecond }, seconds: context.seconds, warmUpSeconds: 0 });
      const after = await phase({
        pace: { kind: "rate", perSecond: Math.round(calmShare * reference.peakPerSecond) },
        seconds: calmSeconds,
        warmUpSeconds: 0,
      });
      note(`${factor}x, ${perSecond}/s`, crowded);
      note("and after it", after);
      held.push(...judgeOverload(reference, overloadedOf(factor, crowded, after.result)));
    }
    held.push(...(await judgeBooks(context, { runId, startedAtMs, told })));
    return held;
  });
}

function isDoorFull({ doorCount }: Cores, share: number): boolean {
  return share > fullShare * doorCount;
}

type Phase = ReturnType<typeof phaseMaker>;
type Note = (name: string, crowded: Crowded<Reading>) => CrowdResult;

async function measureReference({ seconds }: ScenarioContext, phase: Phase, note: Note): Promise<Reference> {
  const rulerSeconds = Math.max(5, Math.round(seconds / 6));
  // The first seconds of a process are its slowest; they are nobody's peak.
  note("first steps", await phase({ pace: { kind: "saturate", clients: 64 }, seconds: rulerSeconds }));
  let peak: CrowdResult | undefined;
  for (const clients of rulerClients) {
    const result = note(`ruler, ${clients} at once`, await phase({ pace: { kind: "saturate", clients }, seconds: rulerSeconds }));
    if (peak === undefined || result.accepted / result.seconds > peak.accepted / peak.seconds) peak = result;
  }
  if (peak === undefined || peak.accepted === 0) throw new Error("the stack accepted nothing");
  const peakPerSecond = peak.accepted / peak.seconds;
  const perSecond = Math.round(referenceShare * peakPerSecond);
  const calm = note(`reference, 80 %, ${perSecond}/s`, await phase({ pace: { kind: "rate", perSecond }, seconds }));
  return { peakPerSecond, calm };
}

function overloadedOf(factor: number, { result, before, after: ended }: Crowded<Reading>, after: CrowdResult): Overloaded {
  const growth = [...ended.residentBytes].map(([name, bytes]) => bytes - (before.residentBytes.get(name) ?? bytes));
  return {
    factor,
    crowd: result,
    after,
    switchOperations: ended.switchOperations - before.switchOperations,
    refusedInTimeShare: (ended.refusalsInTime - before.refusalsInTime) / Math.max(1, ended.refusals - before.refusals),
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
