/** Tells the connectors where the settings say that their secrets are. No secret passes here: the connectors read them themselves. */
import type { ConnectorService } from "@florin/gen/connectors/v1/connectors";
import type { Client, FramedConnection } from "@florin/runtime/rpc";
import type { Logger } from "@florin/runtime/telemetry";
import type { SecretReference } from "../domain/settings/index.ts";

export type SecretTeller = {
  /** Safe to repeat. Throws AppError while the connectors cannot be told. */
  tell(version: number, references: readonly SecretReference[]): Promise<void>;
  /** Calls `listener` whenever connectors are there that may not have been told: they remember nothing over a restart. Returns how to end that. */
  onConnected(listener: () => void): () => void;
};

const timeoutMs = 5_000;

export function createSecretTeller(o: {
  readonly connectors: Pick<Client<typeof ConnectorService>, "applySecrets"> & Pick<FramedConnection, "onConnected">;
  readonly logger: Logger;
}): SecretTeller {
  let unresolvedBefore = 0;
  return {
    async tell(version, references) {
      const { version: inForce, unresolved } = await o.connectors.applySecrets({ version, references: [...references] }, { timeoutMs });
      // Another replica was faster. If that lasts, the database was set back while the connectors stayed: restart them.
      if (inForce > version) o.logger.info({ settings_version: version, newer_version: inForce }, "the connectors know newer settings");
      else if (unresolved > 0 && unresolved !== unresolvedBefore)
        o.logger.warn(
          { settings_version: version, unresolved },
          "connectors cannot resolve references to secrets and keep the keys they have",
        );
      unresolvedBefore = unresolved;
    },
    onConnected: (listener) => o.connectors.onConnected(listener),
  };
}
