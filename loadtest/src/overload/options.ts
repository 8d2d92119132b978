/** The words after `npm run drill -- overload`. */
import { parseArgs } from "node:util";

export const scenarios = ["crowd", "noisy", "processors"] as const;
export type Scenario = (typeof scenarios)[number];

/** Shorter phases are for CI. */
const judgedSecondsMin = 30;

export type OverloadOptions = {
  readonly only: readonly Scenario[];
  /** Of each phase. */
  readonly seconds: number;
  readonly port: number;
  /** Phases too short, or beside other work: what tells of the machine too is shown and not judged. */
  readonly isShort: boolean;
  readonly isHelp: boolean;
};

export const overloadUsage = `npm run drill -- overload [options]
  (default)          a crowd of 2 and 4 times the saturation rate, a noisy merchant, and a processor that is down, slow and flapping;
                     about fifteen minutes
  --seconds <n>      length of each phase, 5 to 600; below 30 times and rates are shown and not judged, as in CI
  --only <name>      crowd, noisy or processors; may be given more than once
  --port <n>         port of the drill's own stack (default 18180)
  --help             these lines`;

/** Throws an Error that holds the usage when a word is wrong. */
export function readOverloadOptions(words: readonly string[]): OverloadOptions {
  const values = parse(words);
  const number = (name: "seconds" | "port", fallback: number, min: number, max: number): number => {
    const value = values[name] === undefined ? fallback : Number(values[name]);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new Error(`--${name} is a number from ${min} to ${max}\n\n${overloadUsage}`);
    return value;
  };
  const seconds = number("seconds", 60, 5, 600);
  const only = values.only?.map((name) => {
    const scenario = scenarios.find((one) => one === name);
    if (scenario === undefined) throw new Error(`there is no scenario ${name}\n\n${overloadUsage}`);
    return scenario;
  });
  return {
    only: only ?? scenarios,
    seconds,
    isShort: seconds < judgedSecondsMin,
    port: number("port", 18_180, 1_024, 65_000),
    isHelp: values.help ?? false,
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        seconds: { type: "string" },
        only: { type: "string", multiple: true },
        port: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (thrown) {
    throw new Error(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${overloadUsage}`, { cause: thrown });
  }
}
