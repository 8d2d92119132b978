/**
 * Our own processes: what each is called, what it is told, and the order in which they end.
 *
 * All of them are told by environment only; every name here is a setting of the process' `config.ts`.
 */
import { join } from "node:path";
import type { DatabaseUrls } from "./databases.ts";
import type { UpOptions } from "./options.ts";
import type { Ports } from "./ports.ts";
import type { StackSecrets } from "./secrets.ts";

export type ServiceName = "edge" | "switch" | "connectors" | "vault" | "ledger" | "simulator";
export type Service = {
  readonly name: ServiceName;
  readonly main: string;
  readonly adminPort: number;
  readonly env: Readonly<Record<string, string>>;
};

/** Ctrl-C drains in this order: first the door, then what it leans on, so nothing in flight loses its answer. */
export const drainOrder: readonly ServiceName[] = ["edge", "switch", "connectors", "vault", "ledger", "simulator"];

/** Certificates made for a local stack: one per process, one for internal services, one for operators. */
export const certificateNames: readonly string[] = [...drainOrder, "client", "operator"];

type Stack = {
  readonly options: UpOptions;
  readonly ports: Ports;
  readonly secrets: StackSecrets;
  readonly databases: DatabaseUrls;
  readonly redisUrl: string | undefined;
  readonly natsUrl: string | undefined;
};

/** In a sandbox everybody pays with the same few test cards; the limits of real cards would block them within minutes. */
const sandboxVelocity: Readonly<Record<string, string>> = Object.fromEntries(
  ["CARD_PER_HOUR", "CARD_PER_DAY", "IP_PER_HOUR", "MERCHANT_PER_MINUTE"].flatMap((window) =>
    ["RAISED", "BLOCKED"].map((limit) => [`FLORIN_VELOCITY_${window}_${limit}`, "1000000000"]),
  ),
);

/** And they all hand in their cards from one address, thousands of them before a load. */
const sandboxTokens: Readonly<Record<string, string>> = {
  FLORIN_TOKENS_PER_ADDRESS_PER_MINUTE: "100000000",
  FLORIN_TOKENS_PER_ADDRESS_BURST: "1000000",
  FLORIN_TOKENS_PER_KEY_PER_MINUTE: "100000000",
  FLORIN_TOKENS_PER_KEY_BURST: "1000000",
};

export function describeServices(stack: Stack): readonly Service[] {
  const { ports, secrets, databases } = stack;
  const redis = { FLORIN_REDIS_URL: stack.redisUrl ?? "" };
  const nats = { FLORIN_NATS_URL: stack.natsUrl ?? "" };
  const at = (port: number): string => `127.0.0.1:${port}`;
  const switchAddress = { FLORIN_SWITCH_ADDRESS: at(ports.switchGrpc) };
  const vaultAddress = { FLORIN_VAULT_ADDRESS: at(ports.vaultGrpc) };
  const latency = stack.options.simulatorLatency;
  const simlater = { FLORIN_SIMLATER_API_KEY: secrets.simlaterApiKey, FLORIN_SIMLATER_CALLBACK_KEY: secrets.simlaterCallbackKey };
  return [
    service("simulator", "simulator", ports.simulatorAdmin, {
      FLORIN_HTTP_PORT: String(ports.simulator),
      FLORIN_DATABASE_URL: databases.florin_simulator.appUrl,
      FLORIN_SIMPAY_API_KEY: secrets.simpayApiKey,
      FLORIN_SIMULATOR_ISO8583_PORT: String(ports.simulatorIso8583),
      FLORIN_SIMULATOR_ISO8583_MAC_KEY: secrets.simisoMacKey,
      FLORIN_SIMULATOR_CALLBACK_URL: `http://127.0.0.1:${ports.callbacks}/callbacks/simlater`,
      ...simlater,
      ...(latency === undefined ? {} : { FLORIN_SIMULATOR_LATENCY: latency }),
    }),
    service("vault", "vault", ports.vaultAdmin, {
      FLORIN_HTTP_PORT: String(ports.vault),
      FLORIN_GRPC_PORT: String(ports.vaultGrpc),
      FLORIN_DATABASE_URL: databases.florin_vault.appUrl,
      FLORIN_API_KEY_PEPPER: secrets.apiKeyPepper,
      FLORIN_KEK: secrets.keyEncryptionKey,
      ...sandboxTokens,
    }),
    service("connectors", "connectors", ports.connectorsAdmin, {
      FLORIN_GRPC_PORT: String(ports.connectorsGrpc),
      FLORIN_SIMPAY_URL: `http://127.0.0.1:${ports.simulator}`,
      FLORIN_SIMPAY_API_KEY: secrets.simpayApiKey,
      FLORIN_SIMISO_ADDRESS: `tcp://127.0.0.1:${ports.simulatorIso8583}`,
      FLORIN_SIMISO_MAC_KEY: secrets.simisoMacKey,
      FLORIN_SIMLATER_URL: `http://127.0.0.1:${ports.simulator}`,
      FLORIN_CALLBACK_PORT: String(ports.callbacks),
      ...simlater,
      ...vaultAddress,
    }),
    service("switch", "switch", ports.switchAdmin, {
      FLORIN_GRPC_PORT: String(ports.switchGrpc),
      FLORIN_DATABASE_URL: databases.florin_switch.appUrl,
      FLORIN_CONNECTORS_ADDRESS: at(ports.connectorsGrpc),
      ...sandboxVelocity,
      ...vaultAddress,
      ...redis,
      ...nats,
    }),
    service("ledger", "ledger", ports.ledgerAdmin, {
      FLORIN_GRPC_PORT: String(ports.ledgerGrpc),
      FLORIN_DATABASE_URL: databases.florin_ledger.appUrl,
      ...switchAddress,
      ...nats,
    }),
    service("edge", "gateway-edge", ports.edgeAdmin, {
      FLORIN_HTTP_PORT: String(ports.edge),
      FLORIN_DATABASE_URL: databases.florin_edge.appUrl,
      FLORIN_API_KEY_PEPPER: secrets.apiKeyPepper,
      ...switchAddress,
    }),
  ];
}

function service(name: ServiceName, workspace: string, adminPort: number, env: Readonly<Record<string, string>>): Service {
  return { name, main: join(workspace, "src", "main.ts"), adminPort, env };
}

/** What every process is told, from the least to the most binding: defaults, the caller's environment, the facts of this stack. */
export function serviceEnvironment(
  one: Service,
  o: { tlsDirectory: string; compiledDirectory: string; env: NodeJS.ProcessEnv },
): NodeJS.ProcessEnv {
  const { DATABASE_URL: _database, REDIS_URL: _redis, NATS_URL: _nats, ...inherited } = o.env;
  return {
    FLORIN_ENVIRONMENT: "sandbox",
    FLORIN_TLS_DIR: o.tlsDirectory,
    FLORIN_LISTEN_HOST: "127.0.0.1",
    // Buffers are made on one thread and freed on others; more arenas only keep more of what was freed.
    MALLOC_ARENA_MAX: "2",
    // Compiled code of our sources: a process that was killed is back in about half the time.
    NODE_COMPILE_CACHE: o.compiledDirectory,
    ...inherited,
    FLORIN_DIE_WITH_PARENT: "1",
    FLORIN_ADMIN_PORT: String(one.adminPort),
    ...one.env,
    ...standIn(one, inherited),
  };
}

/** The one fact that a caller may replace: where simiso is reached, so that a drill can stand in between. */
function standIn({ name }: Service, { FLORIN_SIMISO_ADDRESS: address }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return name === "connectors" && address !== undefined ? { FLORIN_SIMISO_ADDRESS: address } : {};
}
