/** The words after `npm run up --`. */
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
};

export const upUsage = `npm run up -- [options]
  --port <n>                 port of the edge (default 8080); the other parts take ports above it
  --profile embedded|full    embedded: PostgreSQL only; full: with Redis and NATS (default: what is there)
  --detach                   return when it is ready; stop it with npm run down
  --fresh                    wipe the data of earlier runs first
  --directory <folder>       data, keys and logs (default .florin)
  --restart                  start a process again when it dies (default: stop everything)
  --simulator-latency <ms>   latency of the simulated acquirer: 20, or a range like 300-1200`;

const portMin = 1024;
/** The last port of the plan is 32 above the first. */
const portMax = 65_535 - 40;

/** Reads the words; throws an Error that holds the usage when one is wrong. */
export function readUpOptions(words: readonly string[], env: NodeJS.ProcessEnv): UpOptions {
  const values = parse(words);
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
  };
}

/** A relative folder belongs to where the caller stands; the default stands in the repository. */
export function directoryOf(directory: string | undefined, env: NodeJS.ProcessEnv): string {
  if (directory === undefined) return resolve(rootFolder, ".florin");
  return resolve(env["FLORIN_CALLER_DIRECTORY"] ?? process.cwd(), directory);
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        port: { type: "string" },
        profile: { type: "string" },
        detach: { type: "boolean" },
        fresh: { type: "boolean" },
        directory: { type: "string" },
        restart: { type: "boolean" },
        "simulator-latency": { type: "string" },
      },
    }).values;
  } catch (thrown) {
    throw new Error(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${upUsage}`, { cause: thrown });
  }
}
