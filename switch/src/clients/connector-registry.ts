/** Which connectors there are, and what each can do, in routing's words. */
import type { Capabilities, ConnectorService } from "@florin/gen/connectors/v1/connectors";
import type { Client } from "@florin/runtime/rpc";
import type { Capability, CodeSet } from "../domain/routing/processor-profile.ts";
import type { ConnectorRegistry } from "../domain/settings/index.ts";

/** Throws AppError while the connectors cannot be asked. */
export type AskConnectors = () => Promise<ConnectorRegistry>;

const timeoutMs = 5_000;

export function createConnectorRegistry(client: Pick<Client<typeof ConnectorService>, "listConnectors">): AskConnectors {
  return async () => {
    const { connectors } = await client.listConnectors({}, { timeoutMs });
    return new Map(
      connectors.map(({ name, capabilities }) => {
        const { currencies = [], brands = [] } = capabilities ?? {};
        return [name, { currencies: codesOf(currencies), networks: codesOf(brands), capabilities: capabilitiesOf(capabilities) }];
      }),
    );
  };
}

/** Whom nothing is named for takes all. */
function codesOf(codes: readonly string[]): CodeSet {
  return codes.length === 0 ? "any" : new Set(codes);
}

type Flags = Pick<Capabilities, "multipleCaptures" | "voidAfterCapture" | "multipleRefunds" | "reversal" | "query">;

/** Total, so that a new capability of routing does not compile until somebody says where it stands. */
const flags: Readonly<Record<Capability, (of: Flags) => boolean>> = {
  // An authorization that is captured later is what every connector can do.
  manual_capture: () => true,
  multiple_captures: (of) => of.multipleCaptures,
  multiple_refunds: (of) => of.multipleRefunds,
  void_after_capture: (of) => of.voidAfterCapture,
  reversal: (of) => of.reversal,
  query: (of) => of.query,
};

function capabilitiesOf(of: Flags | undefined): ReadonlySet<Capability> {
  const names = Object.keys(flags) as Capability[];
  return new Set(names.filter((name) => of !== undefined && flags[name](of)));
}
