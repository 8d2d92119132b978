/** What `npm run check` looks at, cheapest first. `npm test` begins with the same steps. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkDocs } from "../docs/documents.ts";
import { rootFolder } from "../root-folder.ts";
import { checkGenerated } from "./generated.ts";
import { commandStep, type Step, vitestStep } from "./steps.ts";
import { tool } from "./tools.ts";

const baseline = join("proto", "baseline.binpb");
const loadtestProject = join("loadtest", "k6");
const fieldsProject = join("vault", "src", "browser", "page");

export function checkSteps(): readonly Step[] {
  return [
    commandStep("format and lint (biome)", tool("biome"), ["check", "--error-on-warnings", "."]),
    commandStep("types (tsc)", "tsc", ["-p", "."]),
    ...(existsSync(join(rootFolder, loadtestProject, "tsconfig.json"))
      ? [commandStep("types of the k6 scenarios (tsc)", "tsc", ["-p", loadtestProject])]
      : []),
    commandStep("types of the card fields' pages (tsc)", "tsc", ["-p", fieldsProject]),
    commandStep("proto lint (buf)", tool("buf"), ["lint"]),
    commandStep("proto format (buf)", tool("buf"), ["format", "--diff", "--exit-code"]),
    commandStep("proto compatibility (buf breaking)", tool("buf"), ["breaking", "--against", baseline]),
    { title: "generated code is current", run: checkGenerated },
    { title: "generated documents are current", run: checkDocs },
    commandStep("unused files, exports and dependencies (knip)", tool("knip"), []),
    vitestStep("unit tests (vitest)", { projects: ["unit"] }),
  ];
}
