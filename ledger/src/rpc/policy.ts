/** Who may read the books. Nobody can post: there is no such method. */
import type { CallerPolicy } from "@florin/runtime/rpc";

export const callerPolicy: CallerPolicy = {
  edge: ["florin.ledger.v1.LedgerService/*"],
  client: ["florin.ledger.v1.LedgerService/*"],
};
