/** What cards have in common that issuers treat alike. All parts come from closed lists, so there are some hundreds per processor. */
import type { CardRegion } from "./interchange.ts";
import type { RoutingRequest } from "./routing-request.ts";

/** The word under which answers of such cards are counted, for example "visa/debit/domestic". */
export function segmentOf({ network, funding }: Pick<RoutingRequest, "network" | "funding">, region: CardRegion): string {
  return `${network}/${funding}/${region}`;
}
