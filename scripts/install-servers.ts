/** Has the servers that a stack and the tests run against installed where that can be done: `install-servers.sh` knows how, and the versions. */
import { execFile, spawn } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { rootFolder } from "./root-folder.ts";

const script = join(rootFolder, "scripts", "install-servers.sh");
const installTimeoutMs = 600_000;

export function toolsFolder(env: NodeJS.ProcessEnv): string {
  return env["FLORIN_TOOLS_DIR"] ?? join(homedir(), ".cache", "florin", "bin");
}

/** For the tests. Resolves also when one could not be had: a suite without its server says so and is skipped. Safe to repeat. */
export function installServers(names: readonly string[]): Promise<void> {
  if (process.platform !== "linux") return Promise.resolve();
  return new Promise((resolve) => {
    const child = spawn(script, [...names], { stdio: "inherit" });
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
}

/** Answers the path of nats-server, built with Go into the tools folder in about a minute. Throws what the script said when it cannot be had. */
export async function installNats(o: { env: NodeJS.ProcessEnv; signal: AbortSignal }): Promise<string> {
  const folder = toolsFolder(o.env);
  try {
    await promisify(execFile)(script, ["nats-server"], {
      env: { ...o.env, FLORIN_TOOLS_DIR: folder },
      timeout: installTimeoutMs,
      signal: o.signal,
    });
  } catch (thrown) {
    const said = thrown instanceof Error && "stdout" in thrown && "stderr" in thrown ? `${thrown.stdout}${thrown.stderr}`.trim() : "";
    throw new Error(`nats-server could not be installed: ${said === "" ? String(thrown) : said.slice(-500)}`, { cause: thrown });
  }
  return join(folder, "nats-server");
}
