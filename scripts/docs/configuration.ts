/** docs/configuration.md, from the `config.ts` of each process. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rootFolder } from "../root-folder.ts";
import { renderTable } from "./table.ts";

/** What `describe()` of a configuration answers, see runtime/src/config. */
type Row = {
  readonly process: string;
  readonly env: string;
  readonly shape: string;
  readonly unit: string | undefined;
  readonly defaultText: string | undefined;
  readonly isRequired: boolean;
  readonly isSecret: boolean;
  readonly help: string;
};

const workspaces: readonly string[] = ["gateway-edge", "switch", "connectors", "vault", "ledger", "simulator"];

export async function renderConfiguration(): Promise<string> {
  const sections: string[] = [];
  for (const workspace of workspaces) {
    const rows = await describe(workspace);
    const [first] = rows;
    if (first === undefined) continue;
    sections.push(`## ${first.process}\n\n${renderTable(["variable", "value", "default", "meaning"], rows.map(renderRow))}`);
  }
  return `# Configuration

Generated from each process' \`src/config.ts\` by \`npm run docs\`. Processes are configured by environment variables only, read once at start; all problems come in one message.
An empty variable counts as not set. \`npm run up\` sets everything that is required.

**Settings that change while payments flow** (processors, merchants' rules, fees, limits) are not here: they are versions of one document,
[operations/settings.md](operations/settings.md). \`FLORIN_CONNECTOR\`, \`FLORIN_VELOCITY_…\` and \`FLORIN_RATE_PER_KEY_…\` hold until the house has settings of its own, and where those do not name a limit.

**Secrets.** A setting that is a secret, and a URL, which may hold a password, can stand in a file: set its name with \`_FILE\` to the path instead, as in \`FLORIN_KEK_FILE=/run/secrets/kek\`.
The file's last line break is left out. When they were read they are taken out of the environment of the process; what the kernel shows to the same account in \`/proc/<pid>/environ\`
stays, so prefer files.

**Production.** With \`FLORIN_ENVIRONMENT=production\` a process does not start with what a sandbox or an example has, and names the setting without its value: every key and password that
\`npm run up\` draws (they are marked) and the certificates it makes, keys that repeat, count, or are text, passwords that are short or made of words that everybody tries, a database, cache or
broker without a password, a processor without TLS, \`FLORIN_TLS_DIR=off\`, the software key store, crash points, the simulator. \`scripts/production-settings.test.ts\` tries it for all
processes and all secrets. What passes is not proven random: have keys drawn (\`openssl rand -hex 32\`).

${sections.join("\n\n")}
`;
}

function renderRow(row: Row): string[] {
  const value = [row.shape, row.unit === undefined || row.unit === "" ? "" : `(${row.unit})`, row.isSecret ? "**secret**" : ""]
    .filter((word) => word !== "")
    .join(" ");
  const fallback = row.isRequired
    ? "*required*"
    : row.defaultText === undefined || row.defaultText === ""
      ? "empty"
      : `\`${row.defaultText}\``;
  return [`\`${row.env}\``, value, fallback, row.help];
}

async function describe(workspace: string): Promise<readonly Row[]> {
  const file = join(rootFolder, workspace, "src", "config.ts");
  if (!existsSync(file)) return [];
  const module = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  const definition = Object.values(module).find(isDefinition);
  if (definition === undefined) throw new Error(`${workspace}/src/config.ts exports no configuration made by defineConfig`);
  return definition.describe();
}

function isDefinition(value: unknown): value is { describe: () => readonly Row[] } {
  return typeof value === "object" && value !== null && "describe" in value && typeof value.describe === "function";
}
