/**
 * A processor that is down, slow (5 s) and flapping, beside one that is well: authorizations go on through the other, nobody is charged twice, and
 * breaker and routing react within two seconds.
 *
 * The ailing one is reached over ISO 8583 through a proxy of ours, the other over HTTP; both are the simulator, with one set of books. The rate is
 * far below what the machine can do.
 */
import { portDistances } from "../../../scripts/up/ports.ts";
import { TcpProxy } from "../drill/network/tcp-proxy.ts";
import { clear, type Weather } from "../drill/network/weather.ts";
import { seededRandom } from "../drill/random.ts";
import type { Told } from "../verify/answers.ts";
import type { Crowded } from "./crowd.ts";
import { addTold, judgeBooks, phaseMaker, type ScenarioContext, withOverloadStack } from "./crowd-scenario.ts";
import { type Ailing, atLeast, type Held, judgeAiling } from "./judge.ts";
import type { OverloadOptions } from "./options.ts";
import { cpuShares, type Reading } from "./readings.ts";
import { printPhase } from "./report.ts";

const perSecond = 40;
const calmSeconds = 6;
const flapMs = 1_000;
const clockSlackMs = 5_000;
/** There and back. */
const slowMs = 5_000;
/** By default a circuit opens for a second, and its three probes are slow after 1.5 s. */
const probesPerSecond = 3 / 2.5;
const reactSeconds = 2;

const cut: Weather = { kind: "cut" };
const slow: Weather = { kind: "latency", delayMs: slowMs / 2, jitterMs: 0, lossRatio: 0 };

type Ailment = Pick<Ailing, "name" | "undecidedShareMax"> & {
  readonly lateMax: (seconds: number) => number;
  /** Makes the processor ill; the answer makes it well. */
  readonly strike: (proxy: TcpProxy) => () => void;
};

const under = (weather: Weather) => (proxy: TcpProxy) => {
  proxy.set(weather);
  return () => proxy.set(clear);
};

function flapping(proxy: TcpProxy): () => void {
  let isCut = false;
  const timer = setInterval(() => {
    isCut = !isCut;
    proxy.set(isCut ? cut : clear);
  }, flapMs);
  return () => {
    clearInterval(timer);
    proxy.set(clear);
  };
}

const ailments: readonly Ailment[] = [
  { name: "down", undecidedShareMax: 0.005, lateMax: () => 0, strike: under(cut) },
  {
    name: "slow",
    undecidedShareMax: 0.005,
    lateMax: (seconds) => Math.ceil((reactSeconds + 0.5) * perSecond + probesPerSecond * seconds),
    strike: under(slow),
  },
  // Once in two seconds those that are with it are lost to it: a fiftieth of a second of calls.
  { name: "flapping", undecidedShareMax: 0.03, lateMax: (seconds) => seconds, strike: flapping },
];

export async function runProcessorsScenario(options: OverloadOptions): Promise<readonly Held[]> {
  const targetPort = options.port + portDistances.simulatorIso8583;
  const proxy = await TcpProxy.start({ targetHost: "127.0.0.1", targetPort, random: seededRandom(1) });
  const env = { FLORIN_CONNECTOR: "simiso,simpay", FLORIN_SIMISO_ADDRESS: `tcp://127.0.0.1:${proxy.port}` };
  try {
    return await withOverloadStack(options, { env }, (context) => strikeAll(context, proxy));
  } finally {
    await proxy.close();
  }
}

async function strikeAll(context: ScenarioContext, proxy: TcpProxy): Promise<readonly Held[]> {
  const { seconds } = context;
  const startedAtMs = Date.now() - clockSlackMs;
  const runId = `pr${startedAtMs.toString(36)}`;
  const phase = phaseMaker(context, runId);
  const told = new Map<string, Told>();
  const pace = { kind: "rate", perSecond } as const;
  const note = (name: string, crowded: Crowded<Reading>): void => {
    addTold(told, crowded.result);
    printPhase(name, crowded.result, cpuShares(crowded.before, crowded.after));
  };
  note("both well", await phase({ pace, seconds: calmSeconds }));
  if (proxy.connections === 0) throw new Error("the first choice is not reached through the proxy: nothing would be drilled");
  const held: Held[] = [];
  for (const { name, lateMax, undecidedShareMax, strike } of ailments) {
    let mend: (() => void) | undefined;
    const crowded = await phase({ pace, seconds, retriesMax: 0 }, () => {
      if (mend === undefined) mend = strike(proxy);
      else mend();
    });
    note(name, crowded);
    const after = await phase({ pace, seconds: calmSeconds });
    note("and after it", after);
    held.push(
      ...judgeAiling({ name, result: crowded.result, undecidedShareMax, lateMax: lateMax(seconds) }),
      atLeast(`${name}: approved by it again, once it is well`, after.after.approvedByFirst - after.before.approvedByFirst, 1),
    );
  }
  return [...held, ...(await judgeBooks(context, { runId, startedAtMs, told }))];
}
