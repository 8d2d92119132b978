/** All connectors of this process, one line each. */
import { assert, required, type Secret } from "@florin/kernel";
import type { ConnectorsConfig } from "./config.ts";
import type { Connector } from "./contract/connector.ts";
import type { LinkNotice } from "./iso8583/link/processor-links.ts";
import type { OnTotals } from "./iso8583/payment/totals-round.ts";
import { createSimiso } from "./simiso/simiso.ts";
import { createSimlater } from "./simlater/simlater.ts";
import { createSimpay } from "./simpay/simpay.ts";

/** A connector, or undefined where it is not configured. */
type MakeConnector = (config: ConnectorsConfig, events: RegistryEvents) => Connector | undefined;
/** What happens beside answers. */
export type RegistryEvents = {
  readonly onLinkNotice: (connector: string, notice: LinkNotice) => void;
  /** What became of comparing a window's totals with the processor's. */
  readonly onTotals: (connector: string, result: Parameters<OnTotals>[0]) => void;
};

const makers: readonly MakeConnector[] = [simiso, simlater, simpay];

export type Registry = ReadonlyMap<string, Connector>;

export function createRegistry(config: ConnectorsConfig, events: RegistryEvents): Registry {
  return registryOf(makers.map((make) => make(config, events)).filter((connector) => connector !== undefined));
}

/** By name. */
export function registryOf(connectors: readonly Connector[]): Registry {
  const registry = new Map(connectors.map((connector) => [connector.name, connector]));
  assert(registry.size === connectors.length, "no two connectors have one name");
  return registry;
}

const minuteMs = 60_000;
/** Longer than any operation waits for its answer. */
const totalsSettleMs = 90_000;

function simiso(config: ConnectorsConfig, { onLinkNotice, onTotals }: RegistryEvents): Connector | undefined {
  if (config.simisoAddress === "") return undefined;
  // The simulator's host: it has no certificate, and its keys are a sandbox's.
  assert(config.environment !== "production", "simiso is an acquirer of the sandbox");
  const { hostname, port } = new URL(config.simisoAddress);
  return createSimiso({
    addresses: Array.from({ length: config.simisoLinks }, () => ({ host: hostname, port: Number(port), tls: undefined })),
    macKey: required(config.simisoMacKey, "FLORIN_SIMISO_MAC_KEY"),
    inFlightMax: config.simisoInFlightMax,
    isGranted: true,
    totals: { windowMs: config.simisoTotalsMinutes * minuteMs, settleMs: totalsSettleMs },
    onTotals: (result) => onTotals("simiso", result),
    onNotice: (notice) => onLinkNotice("simiso", notice),
  });
}

function simlater(config: ConnectorsConfig): Connector | undefined {
  if (config.simlaterUrl === "") return undefined;
  return createSimlater({
    url: new URL(config.simlaterUrl),
    apiKey: required(config.simlaterApiKey, "FLORIN_SIMLATER_API_KEY"),
    callbackKeys: simlaterKeys(config),
    callbackToleranceMs: config.callbackToleranceS * 1_000,
    askAfterMs: config.simlaterAskAfterMs,
    connectionsMax: config.simlaterConnectionsMax,
    waitingMax: config.simlaterWaitingMax,
    connectTimeoutMs: config.simlaterConnectTimeoutMs,
  });
}

function simlaterKeys(config: ConnectorsConfig): ReadonlyMap<string, Secret> {
  const keys = new Map([[config.simlaterCallbackKeyId, required(config.simlaterCallbackKey, "FLORIN_SIMLATER_CALLBACK_KEY")]]);
  const { simlaterCallbackKeyIdPrevious: id, simlaterCallbackKeyPrevious: previous } = config;
  if (previous === undefined) return keys;
  assert(!keys.has(id), "the key that is replaced has a name of its own");
  return keys.set(id, previous);
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
