/** The limits of the house at the switch. */
import { create } from "@bufbuild/protobuf";
import { EdgeCallLimitsSchema, type EdgeSettingsService } from "@florin/gen/settings/v1/settings";
import type { Client } from "@florin/runtime/rpc";
import type { AskLimits } from "../app/live-limits.ts";

const timeoutMs = 2_000;

export function createEdgeSettings(client: Client<typeof EdgeSettingsService>): AskLimits {
  return async (knownVersion) => {
    const { version, limits } = await client.getEdgeLimits(knownVersion === undefined ? {} : { knownVersion }, { timeoutMs });
    if (limits === undefined) return { version, limits: undefined };
    const requestsPerKey = new Map(limits.requestsPerKey.map(({ merchantId, perSecond, burst }) => [merchantId, { perSecond, burst }]));
    const { $typeName: _name, $unknown: _unknown, ...calls } = limits.calls ?? create(EdgeCallLimitsSchema);
    return { version, limits: { requestsPerKey, calls } };
  };
}
