/** `npm run scan` and `npx florin scan`: the detector for operators. docs/operations/card-number-found.md tells what to do with what it finds. */
import { resolve } from "node:path";
import { readScanOptions, usage } from "./scan/options.ts";
import { exitCodeOf, scanPaths } from "./scan/scan-paths.ts";

const print = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  const options = readScanOptions(process.argv.slice(2));
  if (options === "help") print(usage);
  else {
    const base = process.env["FLORIN_CALLER_DIRECTORY"] ?? process.cwd();
    const paths = options.paths.map((path) => (path === "-" ? path : resolve(base, path)));
    process.exitCode = exitCodeOf(await scanPaths({ ...options, paths }, { stdin: process.stdin, print }), options);
  }
} catch (thrown) {
  process.stderr.write(`florin: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 2;
}
