/** Who may do what: money moves for the switch only; people and tools may look. */
import type { CallerPolicy } from "@florin/runtime/rpc";

export const callerPolicy: CallerPolicy = {
  switch: ["florin.connectors.v1.ConnectorService/*"],
  client: ["florin.connectors.v1.ConnectorService/Ping", "florin.connectors.v1.ConnectorService/ListConnectors"],
};
