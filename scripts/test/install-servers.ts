/** Has the servers that the tests run against installed where that can be done; a suite without its server says so and is skipped. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { rootFolder } from "../root-folder.ts";

/** Resolves also when one could not be had. Safe to repeat: what is there is left as it is. */
export function installServers(names: readonly string[]): Promise<void> {
  if (process.platform !== "linux") return Promise.resolve();
  return new Promise((resolve) => {
    const child = spawn(join(rootFolder, "scripts", "test", "install-servers.sh"), [...names], { stdio: "inherit" });
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
}
