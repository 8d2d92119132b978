/** Live links at the connectors process: which there are, and granting them. */
import { type ConnectorService, GrantResult } from "@florin/gen/connectors/v1/connectors";
import type { Client } from "@florin/runtime/rpc";

export type GrantAnswer = {
  readonly result: "asked" | "held" | "expired" | "lower_term" | "other_process";
  readonly processId: string;
  readonly clockMs: bigint;
};

export type Grant = { readonly term: bigint; readonly validForMs: number; readonly processId: string; readonly clockMs: bigint };

/** Rejects with AppError when the process cannot be asked. */
export interface LinkClient {
  /** Names of the connectors that have live links. */
  list(): Promise<readonly string[]>;
  /** Who answers, and what o'clock it is there. */
  ask(connector: string): Promise<GrantAnswer>;
  grant(connector: string, grant: Grant): Promise<GrantAnswer>;
}

/** Below the rhythm of grants. */
const timeoutMs = 800;

const results: Readonly<Record<GrantResult, GrantAnswer["result"]>> = {
  [GrantResult.UNSPECIFIED]: "asked",
  [GrantResult.HELD]: "held",
  [GrantResult.EXPIRED]: "expired",
  [GrantResult.LOWER_TERM]: "lower_term",
  [GrantResult.OTHER_PROCESS]: "other_process",
};

export function createLinkClient(client: Pick<Client<typeof ConnectorService>, "listConnectors" | "grantLinks">): LinkClient {
  const send = async (request: Parameters<typeof client.grantLinks>[0]): Promise<GrantAnswer> => {
    const { result, processId, clockMs } = await client.grantLinks(request, { timeoutMs });
    // A result of a later release: nothing is known to be held.
    return { result: results[result] ?? "expired", processId, clockMs };
  };
  return {
    async list() {
      const { connectors } = await client.listConnectors({}, { timeoutMs });
      return connectors.filter(({ capabilities }) => capabilities?.liveLinks === true).map(({ name }) => name);
    },
    ask: (connector) => send({ connector }),
    grant: (connector, grant) => send({ connector, ...grant }),
  };
}
