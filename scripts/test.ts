/**
 * `npm test`: the check, then the tests on real servers; beside those the ones that only wait, and behind them those that only compute, because a
 * test on servers leaves half of two cores idle.
 *
 * Words after `--` go to vitest, to run a part of the tests beyond the check.
 */
import { checkSteps } from "./check/check-steps.ts";
import { runSteps, vitestStep } from "./check/steps.ts";
import { installTools } from "./check/tools.ts";
import { installServers } from "./install-servers.ts";

await installTools();
await installServers(["redis-server", "softhsm2", "nats-server", "chromium"]);
const words = process.argv.slice(2);
const counts = await runSteps([
  ...checkSteps(),
  words.length > 0
    ? vitestStep("chosen tests (vitest)", { projects: ["servers", "waiting", "computing"], words })
    : [
        vitestStep("tests on real servers (vitest)", { projects: ["servers"] }),
        vitestStep("tests that wait (vitest)", { projects: ["waiting"] }),
        vitestStep("tests that compute (vitest)", { projects: ["computing"], isPatient: true }),
      ],
]);
process.exitCode = counts.failed === 0 ? 0 : 1;
