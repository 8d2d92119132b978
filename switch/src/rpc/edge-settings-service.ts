/** EdgeSettingsService: the limits that the edge keeps, from the settings that this replica works by. */
import { EdgeSettingsService } from "@florin/gen/settings/v1/settings";
import { implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { HouseSettings } from "../domain/routing/index.ts";

export function createEdgeSettingsService({ settings }: { readonly settings: () => HouseSettings }): ServiceImplementation {
  return implement(EdgeSettingsService, {
    async getEdgeLimits({ knownVersion }) {
      const { version, limits } = settings();
      if (version === knownVersion) return { version };
      const requestsPerKey = [...(limits.requestsPerKey ?? [])].map(([merchantId, rate]) => ({ merchantId, ...rate }));
      return { version, limits: { requestsPerKey, calls: limits.edgeCalls } };
    },
  });
}
