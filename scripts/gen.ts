/**
 * `npm run gen`: writes the generated code. With --baseline it also writes proto/baseline.binpb, the contract that later changes are
 * compared with: do that at a release, never to silence a breaking change.
 */

import { writeGenerated } from "./check/generated.ts";
import { runCommand } from "./check/steps.ts";
import { installTools, tool } from "./check/tools.ts";

await installTools();
await writeGenerated();
if (process.argv.includes("--baseline")) process.exitCode = await runCommand(tool("buf"), ["build", "--output", "proto/baseline.binpb"]);
