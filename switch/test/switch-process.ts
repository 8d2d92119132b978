/** The switch as a process of its own, started from its `main.ts` as in production, on a stage's database, cache, vault and processor. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CrashPoint } from "../src/app/crash-point.ts";
import type { Stage } from "./stage.ts";

export type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null };
export type SwitchProcess = {
  /** "host:port" of its RPC server. */
  readonly address: string;
  /** Its metrics, as a monitor reads them. */
  scrape(): Promise<string>;
  readonly ended: Promise<Ended>;
  /** As its supervisor does, or as a crash would; safe to repeat and after its end. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<Ended>;
};

const mainFile = join(import.meta.dirname, "../src/main.ts");
type Line = {
  readonly msg?: string;
  readonly grpc_port?: number;
  readonly admin_port?: number;
  readonly err?: { readonly message?: string };
};

type Options = {
  readonly crashPoint?: CrashPoint;
  readonly environment?: "sandbox" | "production";
  /** Registry names, in the order of the house. */
  readonly connectors?: readonly string[];
  /** Empty: nobody to relay to. */
  readonly natsUrl?: string;
};

/** Resolves when it listens; rejects with its last words when it ends before. It ends with this process, however that ends. */
export async function startSwitch(stage: Stage, o: Options = {}): Promise<SwitchProcess> {
  const child = spawn(process.execPath, [mainFile], { env: environmentOf(stage, o), stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<Ended>((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
  const ports = await listeningPorts(child);
  return {
    address: `127.0.0.1:${ports.grpc}`,
    scrape: async () => (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text(),
    ended,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
}

function environmentOf(stage: Stage, { crashPoint, environment, connectors, natsUrl }: Options): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    FLORIN_DIE_WITH_PARENT: "1",
    FLORIN_ENVIRONMENT: environment ?? "sandbox",
    FLORIN_CRASH_POINT: crashPoint ?? "none",
    ...(connectors && { FLORIN_CONNECTOR: connectors.join(",") }),
    FLORIN_GRPC_PORT: "0",
    FLORIN_ADMIN_PORT: "0",
    FLORIN_TLS_DIR: "off",
    FLORIN_DATABASE_URL: stage.appUrl,
    FLORIN_DATABASE_CONNECTIONS_MAX: "4",
    FLORIN_NATS_URL: natsUrl ?? "",
    FLORIN_REDIS_URL: stage.redisServer?.url ?? "",
    FLORIN_VAULT_ADDRESS: `127.0.0.1:${stage.vault.server.port}`,
    FLORIN_CONNECTORS_ADDRESS: `127.0.0.1:${stage.processor.server.port}`,
  };
}

async function listeningPorts(child: ChildProcess): Promise<{ readonly grpc: number; readonly admin: number }> {
  if (child.stdout === null || child.stderr === null) throw new Error("its lines are not piped");
  let lastFault = "it said nothing";
  // What is wrong with its settings it says before it has a log; it may come in pieces.
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
    lastFault = complaint;
  });
  // Left open on purpose: a pipe that nobody reads would stop the process.
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    lines.on("line", (text) => {
      const line = JSON.parse(text) as Line;
      if (line.grpc_port !== undefined && line.admin_port !== undefined) resolve({ grpc: line.grpc_port, admin: line.admin_port });
      lastFault = line.err?.message ?? lastFault;
    });
    lines.once("close", () => reject(new Error(`the switch ended: ${lastFault}`)));
  });
}
