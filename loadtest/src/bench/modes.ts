/** The modes of the bench: which runs they make, and which gates they hold them to. */
import { type OwnStack, startOwnStack } from "../stack/own-stack.ts";
import { makeTokens } from "../stack/tokens.ts";
import { type EchoFigure, measureEcho } from "./echo.ts";
import { cpuGates, type Gate, gate } from "./gates.ts";
import { authorizePath, type Figures, measure } from "./measure.ts";
import type { BenchOptions } from "./options.ts";
import type { Pace } from "./plan.ts";
import { countedParts } from "./readings.ts";
import { machineOf, type Report, type Run } from "./report.ts";
import { benchEnvironment, threeProcessors } from "./settings.ts";

const echoSeconds = 6;
const echoWarmUpSeconds = 2;
const slowLatency = "300-1200";
const slowInFlight = 2_000;
/** An open-loop run may need many connections for a moment; it never waits for one at the rates used here. */
const openLoopInFlightMax = 4_096;
const lowRatePerSecond = 50;
const latencyLimitMs = { half: 60, low: 15 };
const residentLimitBytes = 300 * 1_000_000;
const slowGrowthMax = 0.15;

type Outcome = {
  readonly runs: readonly Run[];
  readonly gates: (echo: EchoFigure) => readonly Gate[];
  readonly remarks?: readonly string[];
};

/** The echo is measured before and after the runs; the figure is the mean, so that a machine that changed its speed shows. */
export async function runBench(options: BenchOptions): Promise<Report> {
  const startedAt = new Date().toISOString();
  const before = await echoOnce(options);
  const outcome = options.mode === "echo" ? nothing : await modes[options.mode](options);
  const after = options.mode === "echo" ? before : await echoOnce(options);
  const echo = { cpuMicros: (before.cpuMicros + after.cpuMicros) / 2, perSecond: (before.perSecond + after.perSecond) / 2 };
  const drift = `echo before ${before.cpuMicros.toFixed(1)} and after ${after.cpuMicros.toFixed(1)} CPU-µs`;
  return {
    machine: machineOf(),
    mode: options.mode,
    startedAt,
    echo,
    runs: outcome.runs,
    gates: outcome.gates(echo),
    remarks: [...(outcome.remarks ?? []), drift],
  };
}

const nothing: Outcome = { runs: [], gates: () => [] };

function echoOnce(options: BenchOptions): Promise<EchoFigure> {
  return measureEcho({
    path: authorizePath,
    secretKey: "sk_test_0000000000000000_00000000000000000000000000000000",
    tokens: ["tok_00000000000000000000000000"],
    runId: runName(),
    pace: { kind: "saturate", inFlight: options.inFlight },
    warmUpSeconds: echoWarmUpSeconds,
    seconds: echoSeconds,
    requestsMax: 0,
  });
}

const modes: Readonly<Record<Exclude<BenchOptions["mode"], "echo">, (options: BenchOptions) => Promise<Outcome>>> = {
  saturation: (options) =>
    withStack(options, options.simulatorLatency, async (run) => {
      const pace: Pace =
        options.rate === undefined
          ? { kind: "saturate", inFlight: options.inFlight }
          : { kind: "rate", perSecond: options.rate, inFlightMax: openLoopInFlightMax };
      const only = await run(options.rate === undefined ? `saturation, ${options.inFlight} in flight` : `${options.rate}/s`, pace);
      return { runs: [only], gates: (echo) => cpuGates(only.figures.cpuMicros, echo.cpuMicros) };
    }),

  latency: (options) =>
    withStack(options, options.simulatorLatency, async (run) => {
      const full = await run(`saturation, ${options.inFlight} in flight`, { kind: "saturate", inFlight: options.inFlight });
      const halfRate = Math.max(1, Math.floor(full.figures.perSecond / 2));
      const half = await run(`half of saturation, ${halfRate}/s`, { kind: "rate", perSecond: halfRate, inFlightMax: openLoopInFlightMax });
      const low = await run(`${lowRatePerSecond}/s`, { kind: "rate", perSecond: lowRatePerSecond, inFlightMax: openLoopInFlightMax });
      return {
        runs: [full, half, low],
        gates: () => [
          gate("p99 without the acquirer at half of saturation", ownP99(half), latencyLimitMs.half, "ms"),
          gate(`p99 without the acquirer at ${lowRatePerSecond}/s`, ownP99(low), latencyLimitMs.low, "ms"),
        ],
      };
    }),

  "slow-acquirer": (options) =>
    withStack(options, options.simulatorLatency, async (run, stack) => {
      const quick = await run("quick acquirer", { kind: "saturate", inFlight: options.inFlight });
      await setAcquirerLatency(stack, slowLatency);
      const slowRun = await run(`acquirer of ${slowLatency} ms, ${slowInFlight} in flight`, { kind: "saturate", inFlight: slowInFlight });
      const slow: Run = { ...slowRun, acquirerMs: undefined };
      await setAcquirerLatency(stack, options.simulatorLatency);
      // Fewer requests a second share a batch less well: the same rate with a quick acquirer tells how much of the difference is that.
      const rate = Math.max(1, Math.floor(slow.figures.perSecond));
      const sameRate = await run("quick acquirer at the slow one's rate", {
        kind: "rate",
        perSecond: rate,
        inFlightMax: openLoopInFlightMax,
      });
      const growth = (of: Run) => (slow.figures.cpuMicrosSum / of.figures.cpuMicrosSum - 1) * 100;
      return {
        runs: [quick, slow, sameRate],
        gates: () => [
          gate("growth of CPU per authorization with a slow acquirer, at the same rate", growth(sameRate), slowGrowthMax * 100, "%"),
        ],
        remarks: [`growth against the quick acquirer at saturation: ${growth(quick).toFixed(1)} %`],
      };
    }),

  memory: (options) =>
    withStack(options, options.simulatorLatency, async (_run, stack, tokens) => {
      const figures = await measure({
        stack,
        tokens,
        runId: runName(),
        pace: { kind: "saturate", inFlight: options.inFlight },
        warmUpSeconds: 1,
        seconds: 86_400,
        requestsMax: options.authorizations,
      });
      const own = countedParts.filter((part) => part !== "postgres" && part !== "redis" && part !== "nats");
      return {
        runs: [{ name: `${options.authorizations} authorizations`, figures, acquirerMs: undefined }],
        gates: () =>
          own.map((part) => gate(`resident memory of ${part}`, (figures.residentBytes[part] ?? 0) / 1e6, residentLimitBytes / 1e6, "MB")),
      };
    }),
};

type RunOnce = (name: string, pace: Pace) => Promise<Run>;

/** A fresh stack for `work`, ended afterwards whatever happens. */
async function withStack<Answer>(
  options: BenchOptions,
  simulatorLatency: string,
  work: (run: RunOnce, stack: OwnStack, tokens: readonly string[]) => Promise<Answer>,
): Promise<Answer> {
  const stack = await startOwnStack({
    name: "bench",
    port: options.port,
    simulatorLatency,
    env: { ...benchEnvironment, ...threeProcessors },
  });
  const stop = () => {
    void stack.down().finally(() => process.exit(1));
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    const tokens = await makeTokens(stack.up, options.tokens);
    const acquirerMs = /^\d+$/.test(simulatorLatency) ? Number(simulatorLatency) : undefined;
    const run: RunOnce = async (name, pace) => {
      const figures: Figures = await measure({
        stack,
        tokens,
        runId: runName(),
        pace,
        warmUpSeconds: options.warmUpSeconds,
        seconds: options.seconds,
      });
      return { name, figures, acquirerMs };
    };
    return await work(run, stack, tokens);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    await stack.down();
  }
}

/** From now on the simulated acquirer takes this long ("20" or "300-1200", ms). */
async function setAcquirerLatency(stack: OwnStack, latency: string): Promise<void> {
  const response = await fetch(`${stack.up.simulatorUrl}/admin/latency`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ latency }),
  });
  if (!response.ok) throw new Error(`the simulator answered ${response.status} to a new latency`);
}

function ownP99({ figures, acquirerMs }: Run): number {
  return Math.max(0, figures.latencyMs.p99 - (acquirerMs ?? 0));
}

/** Different for every run: keys and references are never used twice. */
function runName(): string {
  return `bench-${Date.now().toString(36)}-${Math.floor(Math.random() * 1e6).toString(36)}`;
}
