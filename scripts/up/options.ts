/** The words after `npm run up --` and `npm run down --`. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { rootFolder } from "../root-folder.ts";

export type Profile = "embedded" | "full" | "auto";

export type UpOptions = {
  /** Port of the edge; the others follow from it. */
  readonly port: number;
  /** `embedded`: no Redis, no NATS. `full`: both, or it does not start. `auto`: what is there. */
  readonly profile: Profile;
  readonly isDetached: boolean;
  /** Wipes the data of an earlier run first. */
  readonly isFresh: boolean;
  readonly directory: string;
  /** Starts a process again when it dies, instead of stopping everything. For fault tests. */
  readonly restarts: boolean;
  /** As the simulator reads it, for example "0", "20" or "300-1200" (milliseconds); undefined leaves its default. */
  readonly simulatorLatency: string | undefined;
  /** Asks for the usage, and for nothing else. */
  readonly isHelp: boolean;
};

export type DownOptions = { readonly directory: string; readonly isHelp: boolean };

export const upUsage = `npm run up -- [options]
  --port <n>                 port of the edge (default 8080); the other parts take ports above it
  --profile embedded|full    embedded: PostgreSQL only; full: with Redis and NATS (default: what is there)
  --detach                   return when it is ready; stop it with npm run down
  --fresh                    wipe the data of earlier runs first
  --directory <folder>       data, keys and logs (default .florin)
  --restart                  start a process again when it dies (default: stop everything)
  --simulator-latency <ms>   latency of the simulated acquirer: 20, or a range like 300-1200
  --help                     these lines
DATABASE_URL (of a superuser), REDIS_URL and NATS_URL use servers that run already.`;

export const downUsage = `npm run down -- [options]
  --directory <folder>       the stack to stop (default .florin)
  --help                     these lines`;

const portMin = 1024;
/** The last port of the plan is 32 above the first. */
const portMax = 65_535 - 40;

/** Reads the words; throws an Error that holds the usage when one is wrong. */
export function readUpOptions(words: readonly string[], env: NodeJS.ProcessEnv): UpOptions {
  const values = parse(words, upWords, upUsage);
  const port = Number(values.port ?? "8080");
  if (!Number.isInteger(port) || port < portMin || port > portMax)
    throw new Error(`--port is a number from ${portMin} to ${portMax}\n\n${upUsage}`);
  const profile = values.profile ?? "auto";
  if (profile !== "embedded" && profile !== "full" && profile !== "auto") throw new Error(`--profile is embedded or full\n\n${upUsage}`);
  const latency = values["simulator-latency"];
  if (latency !== undefined && !/^(none|\d{1,6}(-\d{1,6})?)$/.test(latency))
    throw new Error(`--simulator-latency is milliseconds or a range of them\n\n${upUsage}`);
  return {
    port,
    profile,
    isDetached: values.detach ?? false,
    isFresh: values.fresh ?? false,
    directory: directoryOf(values.directory, env),
    restarts: values.restart ?? false,
    simulatorLatency: latency,
    isHelp: values.help ?? false,
  };
}

/** As `readUpOptions`. */
export function readDownOptions(words: readonly string[], env: NodeJS.ProcessEnv): DownOptions {
  const values = parse(words, downWords, downUsage);
  return { directory: directoryOf(values.directory, env), isHelp: values.help ?? false };
}

/** A relative folder belongs to where the caller stands; the default stands in the repository. */
function directoryOf(directory: string | undefined, env: NodeJS.ProcessEnv): string {
  if (directory === undefined) return resolve(rootFolder, ".florin");
  return resolve(env["FLORIN_CALLER_DIRECTORY"] ?? process.cwd(), directory);
}

const downWords = { directory: { type: "string" }, help: { type: "boolean", short: "h" } } as const;
const upWords = {
  ...downWords,
  port: { type: "string" },
  profile: { type: "string" },
  detach: { type: "boolean" },
  fresh: { type: "boolean" },
  restart: { type: "boolean" },
  "simulator-latency": { type: "string" },
} as const;

function parse<T extends typeof downWords>(words: readonly string[], options: T, usage: string) {
  try {
    return parseArgs({ args: [...words], options }).values;
  } catch (thrown) {
    throw new Error(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${usage}`, { cause: thrown });
  }
}
