/** A whole stack of our own for one bench: `up --detach --fresh` in a directory of its own, `down` at the end whatever happens. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readUpFile, type UpFile } from "./up-file.ts";

export const rootFolder = fileURLToPath(new URL("../../..", import.meta.url));

export type OwnStack = { readonly up: UpFile; readonly directory: string; down(): Promise<void> };

export type OwnStackOptions = {
  readonly name: string;
  readonly port: number;
  /** As `up` reads it: "20" or "300-1200", milliseconds. */
  readonly simulatorLatency: string;
  readonly env: Readonly<Record<string, string>>;
};

export async function startOwnStack(options: OwnStackOptions): Promise<OwnStack> {
  const directory = join(rootFolder, ".florin", options.name);
  mkdirSync(directory, { recursive: true });
  const words = ["--port", String(options.port), "--profile", "full", "--directory", directory];
  await bootstrap(["up", "--detach", "--fresh", "--simulator-latency", options.simulatorLatency, ...words], options.env);
  let isDown = false;
  const down = async () => {
    if (isDown) return;
    isDown = true;
    await bootstrap(["down", "--directory", directory], {});
  };
  try {
    return { up: readUpFile(directory), directory, down };
  } catch (thrown) {
    await down();
    throw thrown;
  }
}

/** Runs one command of the repository; its words go to stderr, so that stdout holds the report alone. */
async function bootstrap(words: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, [join(rootFolder, "scripts", "bootstrap.mjs"), ...words], {
    stdio: ["ignore", 2, 2],
    env: { ...process.env, ...env },
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  if (code !== 0) throw new Error(`${words[0]} ended with ${code}`);
}
