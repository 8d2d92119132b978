/**
 * A merchant at twenty times its rate beside others that keep to theirs (C15): the others first alone, then beside it. The rate is a setting of the
 * stack, well below what the machine can do, so that what is measured is fairness and not saturation.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadSecrets } from "../../../scripts/up/secrets.ts";
import { rootFolder } from "../stack/own-stack.ts";
import { serviceDatabaseUrl } from "../stack/up-file.ts";
import { phaseMaker, type ScenarioContext, withOverloadStack } from "./crowd-scenario.ts";
import { type Held, judgeNoisy } from "./judge.ts";
import type { OverloadOptions } from "./options.ts";
import { cpuShares } from "./readings.ts";
import { printPhase } from "./report.ts";

const quotaPerSecond = 50;
const noisyFactor = 20;
const othersPerSecond = 40;

export async function runNoisyScenario(options: OverloadOptions): Promise<readonly Held[]> {
  const env = { FLORIN_RATE_PER_KEY_PER_SECOND: String(quotaPerSecond), FLORIN_RATE_PER_KEY_BURST: String(2 * quotaPerSecond) };
  return withOverloadStack(options, { env }, async (context) => {
    const noisyKey = await addMerchant(context);
    const phase = phaseMaker(context, `no${Date.now().toString(36)}`);
    const pace = { kind: "rate", perSecond: othersPerSecond } as const;
    const { seconds } = context;
    const alone = await phase({ pace, seconds });
    const [beside, noisy] = await Promise.all([
      phase({ pace, seconds }),
      phase({ pace: { kind: "rate", perSecond: noisyFactor * quotaPerSecond }, seconds, secretKey: noisyKey }),
    ]);
    printPhase("others alone", alone.result, cpuShares(alone.before, alone.after));
    printPhase("others beside", beside.result, cpuShares(beside.before, beside.after));
    printPhase("the noisy one", noisy.result, cpuShares(noisy.before, noisy.after));
    return judgeNoisy({ alone: alone.result, beside: beside.result, noisy: noisy.result });
  });
}

/** The secret key of one more merchant. */
async function addMerchant({ stack: { up, directory } }: ScenarioContext): Promise<string> {
  const file = pathToFileURL(join(rootFolder, "gateway-edge", "src", "provision.ts")).href;
  type Provision = (o: { ownerUrl: string; pepper: string; name: string; mode: "test" }) => Promise<{ secretKey: string }>;
  const { provisionMerchant } = (await import(file)) as { provisionMerchant: Provision };
  const ownerUrl = serviceDatabaseUrl(up, "florin_edge");
  const made = await provisionMerchant({ ownerUrl, pepper: loadSecrets(directory).apiKeyPepper, name: "Noisy shop", mode: "test" });
  return made.secretKey;
}
