/** Finds k6: in the tools folder (FLORIN_TOOLS_DIR, default ~/.cache/florin/bin), then on PATH. */
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export const k6Version = "v1.8.1";

/** Path of the binary. Throws a sentence that says how to get it. */
export function findK6(env: NodeJS.ProcessEnv): string {
  const toolsFolder = env["FLORIN_TOOLS_DIR"] ?? join(homedir(), ".cache", "florin", "bin");
  const folders = [toolsFolder, ...(env["PATH"] ?? "").split(delimiter)];
  const found = folders.map((folder) => join(folder, process.platform === "win32" ? "k6.exe" : "k6")).find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(`k6 is neither in ${toolsFolder} nor on PATH. To get it: GOBIN=${toolsFolder} go install go.k6.io/k6@${k6Version}`);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
