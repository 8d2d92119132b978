/** All connectors of this process, one line each. */
import { assert, required } from "@florin/kernel";
import type { ConnectorsConfig } from "./config.ts";
import type { Connector } from "./contract/connector.ts";
import { createSimpay } from "./simpay/simpay.ts";

/** A connector, or undefined where it is not configured. */
type MakeConnector = (config: ConnectorsConfig) => Connector | undefined;

const makers: readonly MakeConnector[] = [simpay];

export type Registry = ReadonlyMap<string, Connector>;

export function createRegistry(config: ConnectorsConfig): Registry {
  return registryOf(makers.map((make) => make(config)).filter((connector) => connector !== undefined));
}

/** By name. */
export function registryOf(connectors: readonly Connector[]): Registry {
  const registry = new Map(connectors.map((connector) => [connector.name, connector]));
  assert(registry.size === connectors.length, "no two connectors have one name");
  return registry;
}

function simpay(config: ConnectorsConfig): Connector | undefined {
  if (config.simpayUrl === "") return undefined;
  return createSimpay({
    url: new URL(config.simpayUrl),
    apiKey: required(config.simpayApiKey, "FLORIN_SIMPAY_API_KEY"),
    connectionsMax: config.simpayConnectionsMax,
    waitingMax: config.simpayWaitingMax,
    connectTimeoutMs: config.simpayConnectTimeoutMs,
  });
}
