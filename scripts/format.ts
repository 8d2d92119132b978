/** `npm run format`: rewrites what Biome can mend by itself. */
import { runCommand } from "./check/steps.ts";
import { installTools, tool } from "./check/tools.ts";

await installTools();
const codes = [await runCommand(tool("biome"), ["check", "--write", "."]), await runCommand(tool("buf"), ["format", "--write"])];
process.exitCode = Math.max(...codes);
