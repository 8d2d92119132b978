/** Who may do what, by certificate. Merchants come through the edge; internal services use the identity `client`. */
import type { CallerPolicy } from "@florin/runtime/rpc";

export const callerPolicy: CallerPolicy = {
  edge: ["florin.payments.v1.PaymentService/*"],
  client: ["florin.payments.v1.PaymentService/*"],
  ledger: ["florin.events.v1.EventLogService/*"],
};
