/**
 * The lines that a new connector needs in files that are there. Each edit finds its place by a line that it knows; when that line has gone, it says
 * so and nothing at all is written.
 */
import type { ConnectorName } from "./connector-name.ts";

/** Path from the root → what becomes of its text. */
export const edits: Readonly<Record<string, (text: string, name: ConnectorName) => string>> = {
  "connectors/src/registry.ts": register,
  "connectors/src/config.ts": (text, name) => before(text, '  otlpUrl: url({ env: "FLORIN_OTLP_URL"', settingsOf(name)),
  "connectors/test/registry.test.ts": (text, { upper }) =>
    before(
      text,
      '  FLORIN_SIMPAY_URL: "',
      `  FLORIN_${upper}_URL: "http://127.0.0.1:1",\n  FLORIN_${upper}_API_KEY: "${upper.toLowerCase()}_test",\n`,
    ),
  "scripts/tidy/service-rooms.ts": (text, { plain }) =>
    replace(before(text, "    simpay: connector,", `    ${plain}: connector,\n`), '"simpay"],', `"simpay", "${plain}"],`),
};

function register(text: string, { plain, pascal, upper }: ConnectorName): string {
  const imported = before(
    text,
    'import { createSimpay } from "./simpay/simpay.ts";',
    `import { create${pascal} } from "./${plain}/${plain}.ts";\n`,
  );
  const list = /^const makers: readonly MakeConnector\[\] = \[([^\]]*)\];$/m.exec(imported);
  if (list === null) throw new Error("the list of makers has moved: add the connector by hand");
  // In the order of their names, as the folders are: makeSimPix is the one of sim_pix.
  const nameOf = (maker: string) =>
    maker.startsWith("make")
      ? maker
          .slice(4)
          .replace(/(?<=.)([A-Z])/g, "_$1")
          .toLowerCase()
      : maker;
  const makers = [...(list[1] ?? "").split(",").map((maker) => maker.trim()), `make${pascal}`].filter((maker) => maker !== "");
  const sorted = makers.toSorted((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1));
  const listed = imported.replace(list[0], `const makers: readonly MakeConnector[] = [${sorted.join(", ")}];`);
  const settings = `config.${camelOf(pascal)}`;
  return `${listed.trimEnd()}

function make${pascal}(config: ConnectorsConfig): Connector | undefined {
  if (${settings}Url === "") return undefined;
  return create${pascal}({
    url: new URL(${settings}Url),
    apiKey: required(${settings}ApiKey, "FLORIN_${upper}_API_KEY"),
    connectionsMax: ${settings}ConnectionsMax,
    waitingMax: ${settings}WaitingMax,
    connectTimeoutMs: ${settings}ConnectTimeoutMs,
  });
}
`;
}

export function camelOf(pascal: string): string {
  return pascal.charAt(0).toLowerCase() + pascal.slice(1);
}

function settingsOf({ plain, pascal, upper }: ConnectorName): string {
  const name = camelOf(pascal);
  return `  ${name}Url: url({
    env: "FLORIN_${upper}_URL",
    help: "origin of ${plain}; empty: no such connector",
    protocols: ["http", "https"],
    production: "tls",
    default: "",
  }),
  ${name}ApiKey: secretText({
    env: "FLORIN_${upper}_API_KEY",
    help: "key for ${plain}; required with its URL",
    inHeader: true,
    optional: true,
    requiredWith: "FLORIN_${upper}_URL",
  }),
  ${name}ConnectionsMax: integer({
    env: "FLORIN_${upper}_CONNECTIONS_MAX",
    help: "connections to ${plain}, each with one request at a time",
    unit: "connections",
    min: 1,
    max: 16_384,
    default: 1_024,
  }),
  ${name}WaitingMax: integer({
    env: "FLORIN_${upper}_WAITING_MAX",
    help: "requests that may wait for a connection to ${plain}; one more is not sent",
    unit: "requests",
    min: 0,
    max: 65_536,
    default: 4_096,
  }),
  ${name}ConnectTimeoutMs: integer({
    env: "FLORIN_${upper}_CONNECT_TIMEOUT_MS",
    help: "longest wait for a new connection to ${plain}",
    unit: "ms",
    min: 50,
    max: 30_000,
    default: 3_000,
  }),
`;
}

function before(text: string, line: string, added: string): string {
  return replace(text, line, added + line);
}

function replace(text: string, known: string, by: string): string {
  if (text.split(known).length !== 2)
    throw new Error(`"${known.trim()}" is not there once: add the connector by hand (docs/how-to/add-a-connector.md)`);
  return text.replace(known, () => by);
}
