/** The words after `npm run bench --`. */
import { parseArgs } from "node:util";

export type BenchMode = "saturation" | "latency" | "slow-acquirer" | "memory" | "echo";

export type BenchOptions = {
  readonly mode: BenchMode;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly inFlight: number;
  /** Fixed rate instead of saturation, requests per second; undefined: saturation. */
  readonly rate: number | undefined;
  readonly simulatorLatency: string;
  readonly tokens: number;
  readonly port: number;
  readonly isJson: boolean;
  readonly authorizations: number;
};

export const benchUsage = `npm run bench -- [options]
  (default)                  saturation: CPU per authorization by process, rate, WAL, gates
  --latency                  latency at half of the saturation rate and at 50/s
  --slow-acquirer            CPU per authorization with an acquirer of 300-1200 ms and 2,000 in flight, beside 20 ms
  --memory                   resident memory after 1,000,000 authorizations (--authorizations <n>)
  --echo-only                the bare Fastify echo alone
  --seconds <n>              measured time (default 20)
  --warm-up <n>              seconds before it (default 8)
  --in-flight <n>            connections at saturation (default 1024)
  --rate <n>                 a fixed rate instead of saturation
  --simulator-latency <ms>   the acquirer's time (default 20)
  --tokens <n>               different payment methods (default 200)
  --port <n>                 port of the bench's own stack (default 18080)
  --json                     the report as JSON on stdout`;

/** Throws an Error that holds the usage when a word is wrong. */
export function readBenchOptions(words: readonly string[]): BenchOptions {
  const values = parse(words);
  const number = (name: "seconds" | "warm-up" | "in-flight" | "tokens" | "port" | "authorizations", fallback: number, max: number) => {
    const value = values[name] === undefined ? fallback : Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > max) throw new Error(`--${name} is a number from 1 to ${max}\n\n${benchUsage}`);
    return value;
  };
  const rate = values.rate === undefined ? undefined : Number(values.rate);
  if (rate !== undefined && !(rate >= 1 && rate <= 100_000)) throw new Error(`--rate is a number from 1 to 100000\n\n${benchUsage}`);
  const latency = values["simulator-latency"] ?? "20";
  if (!/^\d{1,6}(-\d{1,6})?$/.test(latency)) throw new Error(`--simulator-latency is milliseconds or a range of them\n\n${benchUsage}`);
  return {
    mode: modeOf(values),
    seconds: number("seconds", 20, 86_400),
    warmUpSeconds: number("warm-up", 8, 3_600),
    inFlight: number("in-flight", 1_024, 20_000),
    rate,
    simulatorLatency: latency,
    tokens: number("tokens", 200, 100_000),
    port: number("port", 18_080, 65_000),
    isJson: values.json ?? false,
    authorizations: number("authorizations", 1_000_000, 100_000_000),
  };
}

type Flags = { latency?: boolean; "slow-acquirer"?: boolean; memory?: boolean; "echo-only"?: boolean };

function modeOf(values: Flags): BenchMode {
  const chosen: BenchMode[] = [];
  if (values.latency === true) chosen.push("latency");
  if (values["slow-acquirer"] === true) chosen.push("slow-acquirer");
  if (values.memory === true) chosen.push("memory");
  if (values["echo-only"] === true) chosen.push("echo");
  if (chosen.length > 1) throw new Error(`choose one of --latency, --slow-acquirer, --memory, --echo-only\n\n${benchUsage}`);
  return chosen[0] ?? "saturation";
}

function parse(words: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...words],
      options: {
        latency: flag,
        "slow-acquirer": flag,
        memory: flag,
        "echo-only": flag,
        json: flag,
        seconds: text,
        "warm-up": text,
        "in-flight": text,
        rate: text,
        "simulator-latency": text,
        tokens: text,
        port: text,
        authorizations: text,
      },
    }).values;
  } catch (thrown) {
    throw new Error(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${benchUsage}`, { cause: thrown });
  }
}
