/** `npm test`: the check, then the tests on real servers. Words after `--` go to vitest's server project, to run a part of it. */
import { checkSteps } from "./check/check-steps.ts";
import { runSteps, vitestStep } from "./check/steps.ts";
import { installTools } from "./check/tools.ts";
import { installServers } from "./install-servers.ts";

await installTools();
await installServers(["redis-server", "softhsm2", "nats-server", "chromium"]);
const counts = await runSteps([...checkSteps(), vitestStep("tests on real servers (vitest)", "servers", process.argv.slice(2))]);
process.exitCode = counts.failed === 0 ? 0 : 1;
