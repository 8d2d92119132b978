/** The words after `npm run drill --`. */
import { parseArgs } from "node:util";
import type { Fault } from "./faults/fault.ts";

export type DrillOptions = {
  readonly isShort: boolean;
  /** Faults to strike, in their order. */
  readonly faults: readonly Fault[];
  readonly seed: number;
  readonly keepsData: boolean;
  readonly isList: boolean;
  readonly isHelp: boolean;
};

export const drillUsage = `npm run drill -- [options]
  (default)          every fault, sized for proof on two cores; about an hour
  --short            every kind of fault at least once, sized for CI; at most 5 minutes
  --only <name>      faults whose name is or begins with this; may be given more than once
  --seed <n>         makes the same choices again
  --keep             keeps the folder of the drill's stack: logs and data
  --list             the table of faults
  --help             these lines
npm run drill -- overload [options]
                     more than the stack can do, a noisy merchant, a sick processor: see overload --help`;

const seedMax = 4_294_967_295;

/** Throws an Error that holds the usage when a word is wrong. `seed` is taken when none is given. */
export function readDrillOptions(words: readonly string[], o: { readonly faults: readonly Fault[]; readonly seed: number }): DrillOptions {
  const values = parse(words);
  const isShort = values.short ?? false;
  const seed = values.seed === undefined ? o.seed : Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed > seedMax) throw new Error(`--seed is a number from 0 to ${seedMax}\n\n${drillUsage}`);
  const { only } = values;
  for (const name of only ?? [])
    if (!o.faults.some((fault) => fault.name.startsWith(name))) throw new Error(`no fault's name begins with ${name}: see --list`);
  const chosen =
    only === undefined
      ? o.faults.filter(({ rounds }) => (isShort ? rounds.short : rounds.full) > 0)
      : o.faults.filter((fault) => only.some((name) => fault.name.startsWith(name)));
  return {
    isShort,
    faults: chosen,
    seed,
    keepsData: values.keep ?? false,
    isList: values.list ?? false,
    isHelp: values.help ?? false,
  };
}

function parse(words: readonly string[]) {
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...words],
      options: {
        short: flag,
        only: { type: "string", multiple: true },
        seed: { type: "string" },
        keep: flag,
        list: flag,
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (thrown) {
    throw new Error(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${drillUsage}`, { cause: thrown });
  }
}
