/** Who may do what, by certificate. Merchants come through the edge; internal services use the identity `client`,
 * people and tools that watch over the switch `operator`. */
import type { CallerPolicy } from "@florin/runtime/rpc";

export const callerPolicy: CallerPolicy = {
  edge: ["florin.payments.v1.PaymentService/*", "florin.payments.v1.TokenService/*", "florin.settings.v1.EdgeSettingsService/*"],
  client: ["florin.payments.v1.PaymentService/*", "florin.payments.v1.TokenService/*"],
  operator: ["florin.payments.v1.RecoveryService/*", "florin.settings.v1.SettingsService/*"],
  ledger: ["florin.events.v1.EventLogService/*"],
};
