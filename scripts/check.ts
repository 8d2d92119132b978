/** `npm run check`: everything that needs no server, in under two minutes. Run it before asking for review. */
import { checkSteps } from "./check/check-steps.ts";
import { runSteps } from "./check/steps.ts";
import { installTools } from "./check/tools.ts";

await installTools();
const counts = await runSteps(checkSteps());
process.exitCode = counts.failed === 0 ? 0 : 1;
