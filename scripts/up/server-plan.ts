/**
 * Which Redis and which NATS a stack gets, decided before anything is started: the ones of REDIS_URL and NATS_URL, our own from the tools
 * folder or PATH, or none.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import { installNats, toolsFolder } from "../install-servers.ts";
import type { Profile } from "./options.ts";

export type ServerPlan = { readonly kind: "given"; readonly url: string } | { readonly kind: "own"; readonly binary: string };
/** Undefined: the stack runs without it. */
export type ServerPlans = { readonly redis: ServerPlan | undefined; readonly nats: ServerPlan | undefined };

export type PlanOptions = {
  readonly profile: Profile;
  readonly env: NodeJS.ProcessEnv;
  readonly notice: (line: string) => void;
  /** Ends an installation that is under way. */
  readonly signal: AbortSignal;
};

const natsVersionMin = [2, 10] as const;
const connectTimeoutMs = 2_000;

/** Throws a sentence that says what is missing and how to get it. */
export async function planServers(o: PlanOptions): Promise<ServerPlans> {
  if (o.profile === "embedded") return { redis: undefined, nats: undefined };
  const redis = await planRedis(o);
  return { redis, nats: await planNats(o) };
}

async function planRedis(o: PlanOptions): Promise<ServerPlan | undefined> {
  const url = o.env["REDIS_URL"] ?? "";
  if (url !== "") return given({ ...o, url, variable: "REDIS_URL", portDefault: 6_379 });
  const binary = findBinary("redis-server", o.env);
  if (binary !== undefined) return { kind: "own", binary };
  if (o.profile !== "full") return undefined;
  throw new Error(
    "--profile full needs redis-server: install it with your package manager (apt-get install redis-server), or set REDIS_URL, or use --profile embedded",
  );
}

async function planNats(o: PlanOptions): Promise<ServerPlan | undefined> {
  const url = o.env["NATS_URL"] ?? "";
  if (url !== "") return given({ ...o, url, variable: "NATS_URL", portDefault: 4_222 });
  const binary = findBinary("nats-server", o.env, isNatsNewEnough);
  if (binary !== undefined) return { kind: "own", binary };
  if (o.profile !== "full") return undefined;
  if (findBinary("go", o.env) === undefined)
    throw new Error(
      `--profile full needs nats-server ${natsVersionMin.join(".")} or newer: put one on PATH, or install Go, which up then installs it with, or set NATS_URL, or use --profile embedded`,
    );
  o.notice("installing nats-server with Go, once; it takes a minute");
  return { kind: "own", binary: await installNats(o) };
}

/** Both may be away and come back, so a server that does not answer is only told; where both were asked for, it is an error. */
async function given(o: PlanOptions & { url: string; variable: string; portDefault: number }): Promise<ServerPlan> {
  const addresses = o.url.split(",").map((url) => addressOf(url.trim(), o.variable, o.portDefault));
  const answers = await Promise.all(addresses.map(answersAt));
  if (!answers.includes(true)) {
    const where = addresses.map(({ host, port }) => `${host}:${port}`).join(", ");
    if (o.profile === "full") throw new Error(`nothing answers at ${where} (${o.variable})`);
    o.notice(`nothing answers at ${where} (${o.variable}): the stack starts without it, and uses it as soon as it is there`);
  }
  return { kind: "given", url: o.url };
}

type Address = { readonly host: string; readonly port: number };

/** The URL itself is never told: it may hold a password. */
function addressOf(text: string, variable: string, portDefault: number): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "")
    throw new Error(`${variable} is not a URL with a host, like ${variable === "NATS_URL" ? "nats" : "redis"}://127.0.0.1:${portDefault}`);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port === "" ? portDefault : Number(url.port) };
}

export function answersAt({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const end = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.setTimeout(connectTimeoutMs, () => end(false));
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

/** First in the tools folder, then on PATH. */
function findBinary(name: string, env: NodeJS.ProcessEnv, isUsable: (file: string) => boolean = () => true): string | undefined {
  return [toolsFolder(env), ...(env["PATH"] ?? "").split(delimiter)]
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((file) => isExecutable(file) && isUsable(file));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** One that does not even tell its version (another platform's, half a download) is not used. */
function isNatsNewEnough(file: string): boolean {
  try {
    const version = /v?(\d+)\.(\d+)/.exec(execFileSync(file, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
    const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
    return major > natsVersionMin[0] || (major === natsVersionMin[0] && minor >= natsVersionMin[1]);
  } catch {
    return false;
  }
}
