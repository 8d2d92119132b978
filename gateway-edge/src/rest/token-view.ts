/** A token as merchants see it, written as JSON text: the fields that `POST /v1/tokens` of the vault answers, and what has become of it. */
import type { Token } from "@florin/gen/payments/v1/tokens";
import { isoTime, isoTimeOrNull } from "./iso-time.ts";
import { text, textOrNull } from "./payment-view.ts";

export function writeToken({ id, card, fingerprint, usage, usedByPaymentId, createdAtMs, expiresAtMs }: Token, isLive: boolean): string {
  const summary =
    card === undefined
      ? "null"
      : `{"brand":${text(card.brand)},"bin":${text(card.bin)},"last4":${text(card.last4)},"exp_month":${card.expMonth}` +
        `,"exp_year":${card.expYear},"funding":${text(card.funding)}}`;
  return (
    `{"id":${text(id)},"type":"card","card":${summary},"fingerprint":${text(fingerprint)},"usage":${text(usage)}` +
    `,"used_by":${textOrNull(usedByPaymentId)},"created_at":${isoTimeOrNull(createdAtMs)},"expires_at":"${isoTime(expiresAtMs)}"` +
    `,"livemode":${isLive}}`
  );
}

export function writeDeletedToken(id: string): string {
  return `{"id":${text(id)},"deleted":true}`;
}
