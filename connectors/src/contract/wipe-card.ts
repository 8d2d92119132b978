/** What has to go when a card is in the request, or when it is not needed any more: number, security code and PIN block. Safe to repeat. */
import type { Card } from "./connector.ts";

export function wipeCard({ number, securityCode, pin }: Pick<Card, "number" | "securityCode" | "pin">): void {
  number.wipe();
  securityCode?.wipe();
  pin?.block.wipe();
}
