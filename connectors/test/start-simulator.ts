/**
 * The simulator as a process of its own, on free ports, with its own database. It is started the way `up` starts it; nothing of it is
 * imported, because services know each other by network only.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { connectPostgres, createServiceDatabase } from "@florin/runtime/postgres";
import { freePort, testPostgres, untilTrue } from "@florin/runtime/testing";

const root = new URL("../../", import.meta.url).pathname;
/** How long a start takes is not judged; a machine may stand still for a while. */
const startTimeoutMs = 60_000;

export const simpayApiKey = "simpay_test";
export const simlaterApiKey = "simlater_test";
export const refundDelayMs = 60;

export type SimulatorProcess = {
  readonly url: string;
  readonly pid: number;
  call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
};

export async function startSimulator(
  options: {
    latency?: string;
    iso8583?: { port: number; macKeyHex: string };
    simlater?: { callbackUrl: string; callbackKeyHex: string };
  } = {},
): Promise<SimulatorProcess> {
  const server = await testPostgres();
  const { ownerUrl, appUrl } = await createServiceDatabase({
    superuserUrl: server.superuserUrl,
    database: "florin_simulator",
    ownerPassword: "owner-secret",
    appPassword: "app-secret",
  });
  await run("simulator/src/migrate.ts", { FLORIN_DATABASE_OWNER_URL: ownerUrl });
  const port = await freePort();
  const child = node("simulator/src/main.ts", {
    FLORIN_HTTP_PORT: String(port),
    FLORIN_ADMIN_PORT: "0",
    FLORIN_DATABASE_URL: appUrl,
    FLORIN_SIMPAY_API_KEY: simpayApiKey,
    FLORIN_SIMULATOR_LATENCY: options.latency ?? "none",
    FLORIN_SIMULATOR_REFUND_DELAY_MS: String(refundDelayMs),
    ...(options.iso8583 === undefined
      ? {}
      : {
          FLORIN_SIMULATOR_ISO8583_PORT: String(options.iso8583.port),
          FLORIN_SIMULATOR_ISO8583_MAC_KEY: options.iso8583.macKeyHex,
        }),
    ...(options.simlater === undefined
      ? {}
      : {
          FLORIN_SIMLATER_API_KEY: simlaterApiKey,
          FLORIN_SIMLATER_CALLBACK_KEY: options.simlater.callbackKeyHex,
          FLORIN_SIMULATOR_CALLBACK_URL: options.simlater.callbackUrl,
        }),
    FLORIN_LOG_LEVEL: "warn",
    FLORIN_DIE_WITH_PARENT: "1",
  });
  const said = listenTo(child);
  const url = `http://127.0.0.1:${port}`;
  const call = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const json = body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const text = await (await fetch(url + path, { method, ...json })).text();
    return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
  };
  const answers = untilTrue(async () => (await call("GET", "/admin/rules"))["rules"] !== undefined, startTimeoutMs);
  const ended = exitOf(child).then((code) => {
    throw new Error(`the simulator on port ${port} ended with ${code}: ${said()}`);
  });
  await Promise.race([answers, ended]);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exitOf(child);
    const superuser = connectPostgres({ url: server.superuserUrl, name: "test", connectionsMax: 1 });
    await superuser.unsafe("DROP DATABASE IF EXISTS florin_simulator WITH (FORCE)");
    await superuser.end({ timeout: 5 });
    await server.stop();
  };
  return { url, pid: child.pid ?? 0, call, stop };
}

function node(file: string, env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [file], { cwd: root, env: { ...process.env, ...env }, stdio: ["pipe", "inherit", "pipe"] });
}

/** What the process says on its error output goes on to ours; the last of it is kept, for who wants to know why it ended. */
function listenTo({ stderr }: ChildProcess): () => string {
  let last = "";
  stderr?.setEncoding("utf8").on("data", (text: string) => {
    process.stderr.write(text);
    last = (last + text).slice(-1_000);
  });
  return () => last;
}

async function run(file: string, env: Readonly<Record<string, string>>): Promise<void> {
  const child = node(file, env);
  const said = listenTo(child);
  const code = await exitOf(child);
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${said()}`);
}

function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", resolve));
}
