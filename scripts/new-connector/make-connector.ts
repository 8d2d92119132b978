/**
 * Makes a connector's folder from `connectors/template`, which is type-checked and linted with everything else, and adds it to the registry, the
 * settings and the tables that name every connector. Writes all of it or nothing.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ConnectorName, readConnectorName } from "./connector-name.ts";
import { camelOf, edits } from "./edits.ts";

const templateFolder = join("connectors", "template");
const sourceFolder = join("connectors", "src");

export type Made =
  | { readonly kind: "made" /** From the root. */; readonly paths: readonly string[] }
  | { readonly kind: "refused"; readonly problem: string };

export function makeConnector(o: { readonly rootFolder: string; readonly name: string }): Made {
  const { rootFolder } = o;
  const folders = readdirSync(join(rootFolder, sourceFolder), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const taken = folders.map((folder) => folder.name);
  const name = readConnectorName(o.name, taken);
  if ("problem" in name) return { kind: "refused", problem: name.problem };
  const textOf = (path: string) => readFileSync(join(rootFolder, path), "utf8");
  const templates = readdirSync(join(rootFolder, templateFolder));
  const known = [...Object.keys(edits), ...templates.map((file) => join(templateFolder, file))].map(textOf).join("\n");
  if (isTakenIn(known, name))
    return { kind: "refused", problem: `"${o.name}" would make names that the code around it has already: choose another` };
  const written = new Map<string, string>();
  for (const file of templates) {
    const { path, text } = fromTemplate(file, textOf(join(templateFolder, file)), name);
    written.set(path, text);
  }
  for (const [path, edit] of Object.entries(edits)) written.set(path, edit(textOf(path), name));
  for (const [path, text] of written) {
    mkdirSync(dirname(join(rootFolder, path)), { recursive: true });
    writeFileSync(join(rootFolder, path), text);
  }
  return { kind: "made", paths: [...written.keys()] };
}

/** Whether a function or a setting of the new connector is there already. */
function isTakenIn(text: string, { pascal }: ConnectorName): boolean {
  return new RegExp(
    `\\b(?:create|make)${pascal}\\b|\\b${camelOf(pascal)}(?:Url|ApiKey|ConnectionsMax|WaitingMax|ConnectTimeoutMs)\\b`,
  ).test(text);
}

/** The conformance test stands with those of the other connectors, which need servers. */
function fromTemplate(file: string, text: string, name: ConnectorName): { readonly path: string; readonly text: string } {
  const named = text.replaceAll("ACME", name.upper).replaceAll("Acme", name.pascal).replaceAll("acme", name.plain);
  if (file !== "conformance.test.ts") {
    const path = join(sourceFolder, name.plain, file.replace("acme", name.plain));
    return { path, text: named.replaceAll('"../src/', '"../') };
  }
  const moved = named.replaceAll('"../test/', '"./').replaceAll(`"./${name.plain}.ts"`, `"../src/${name.plain}/${name.plain}.ts"`);
  return { path: join("connectors", "test", `${name.plain}-conformance.test.ts`), text: moved };
}
