/** The words after `npm run loadtest --`. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { rootFolder } from "../stack/own-stack.ts";

export const scenarios = ["smoke", "steady", "ramp", "spike", "soak", "mix"] as const;
export type ScenarioName = (typeof scenarios)[number];

export type LoadtestOptions = {
  readonly scenario: ScenarioName;
  /** Requests per second; undefined: the scenario's own. */
  readonly rate: string | undefined;
  /** As k6 reads it ("30s", "2m"); undefined: the scenario's own. */
  readonly duration: string | undefined;
  /** Virtual users at most; undefined: by the rate. */
  readonly users: string | undefined;
  readonly directory: string;
  readonly tokens: number;
};

export const loadtestUsage = `npm run loadtest -- <${scenarios.join("|")}> [options]
  --rate <n>             requests per second (default: the scenario's own)
  --duration <d>         how long, for example 30s or 2m (default: the scenario's own)
  --vus <n>              virtual users at most
  --tokens <n>           different payment methods (default 100)
  --directory <folder>   the running stack's directory (default .florin)
It needs a running stack (npm run up -- --detach) and k6.`;

/** Throws an Error that holds the usage when a word is wrong. */
export function readLoadtestOptions(words: readonly string[], env: NodeJS.ProcessEnv): LoadtestOptions {
  const { values, positionals } = parse(words);
  const scenario = scenarios.find((name) => name === positionals[0]);
  if (scenario === undefined || positionals.length !== 1) throw new Error(loadtestUsage);
  checkNumber("rate", values.rate, 1_000_000);
  checkNumber("vus", values.vus, 100_000);
  checkNumber("tokens", values.tokens, 10_000);
  if (values.duration !== undefined && !/^(\d+(ms|s|m|h))+$/.test(values.duration))
    throw new Error(`--duration is like 30s or 2m\n\n${loadtestUsage}`);
  const caller = env["FLORIN_CALLER_DIRECTORY"] ?? process.cwd();
  return {
    scenario,
    rate: values.rate,
    duration: values.duration,
    users: values.vus,
    directory: values.directory === undefined ? resolve(rootFolder, ".florin") : resolve(caller, values.directory),
    tokens: Number(values.tokens ?? "100"),
  };
}

function checkNumber(name: string, text: string | undefined, max: number): void {
  if (text === undefined) return;
  if (!/^\d{1,7}$/.test(text) || Number(text) < 1 || Number(text) > max)
    throw new Error(`--${name} is a number from 1 to ${max}\n\n${loadtestUsage}`);
}

function parse(words: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { rate: text, duration: text, vus: text, tokens: text, directory: text },
    });
  } catch (thrown) {
    throw new Error(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${loadtestUsage}`, { cause: thrown });
  }
}
