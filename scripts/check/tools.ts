/** buf, Biome and knip: installed on demand into tools/, outside of the workspaces, because their platform packages break a lockfile. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rootFolder } from "../root-folder.ts";
import { runCommand } from "./steps.ts";

/** Path of a tool's command. */
export const tool = (name: "buf" | "biome" | "knip"): string => join(rootFolder, "tools", "node_modules", ".bin", name);

type Manifest = { readonly version?: string; readonly dependencies?: Readonly<Record<string, string>> };

/** Installs what is missing or has another version than tools/package.json says. */
export async function installTools(): Promise<void> {
  const folder = join(rootFolder, "tools");
  const wanted = readManifest(join(folder, "package.json"))?.dependencies ?? {};
  const isCurrent = Object.entries(wanted).every(
    ([name, version]) => readManifest(join(folder, "node_modules", name, "package.json"))?.version === version,
  );
  if (isCurrent) return;
  console.log("installing tools (npm install --prefix tools), once");
  const code = await runCommand("npm", ["install", "--prefix", folder, "--no-package-lock", "--no-audit", "--no-fund"]);
  if (code !== 0) throw new Error(`npm install of tools/ ended with ${code}`);
}

function readManifest(file: string): Manifest | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Manifest) : undefined;
}
