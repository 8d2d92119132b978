/** `npm run new:connector <name>`: a new connector with the places to fill in. */
import { existsSync } from "node:fs";
import { runCommand } from "./check/steps.ts";
import { tool } from "./check/tools.ts";
import { writeDocs } from "./docs/documents.ts";
import { connectorNameHelp } from "./new-connector/connector-name.ts";
import { makeConnector } from "./new-connector/make-connector.ts";
import { rootFolder } from "./root-folder.ts";

const usage = `npm run new:connector <name>

Makes connectors/src/<name>/ from connectors/template, its conformance test, its settings and its line in the registry.
A name is ${connectorNameHelp}.`;

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || rest.length > 0 || name.startsWith("-")) {
  console.error(usage);
  process.exitCode = 1;
} else await make(name);

async function make(wanted: string): Promise<void> {
  const made = makeConnector({ rootFolder, name: wanted });
  if (made.kind === "refused") {
    console.error(`new:connector: ${made.problem}`);
    process.exitCode = 1;
    return;
  }
  if (existsSync(tool("biome"))) await runCommand(tool("biome"), ["check", "--write", ...made.paths]);
  await writeDocs();
  console.log(`\nmade ${wanted}:\n${made.paths.map((path) => `  ${path}`).join("\n")}

Next: docs/how-to/add-a-connector.md. Look for "Fill in" in connectors/src/${wanted}, and run
  npx vitest run connectors/src/${wanted} connectors/test/${wanted}-conformance.test.ts
until nothing fails.`);
}
