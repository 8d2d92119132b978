/** What the issuer behind the acquirer says to one authorization. Pure. */
import { isLuhnValid } from "@florin/kernel";
import type { ResponseCode } from "./response-code.ts";
import { type AvsAnswer, type CvvAnswer, findTestCard } from "./test-card.ts";

export type PresentedCard = {
  readonly number: string;
  /** 1 to 12. */
  readonly expMonth: number;
  /** Four digits. */
  readonly expYear: number;
  readonly hasSecurityCode: boolean;
  readonly hasAddress: boolean;
};

export type IssuerAnswer = {
  readonly code: ResponseCode;
  readonly avs: AvsAnswer;
  readonly cvv: CvvAnswer;
  readonly cardName: string;
  readonly cardLast4: string;
  readonly refundsFail: boolean;
};

/** `now` in UTC decides whether the card has expired: a card is good until the end of its month. */
export function decideAuthorization(card: PresentedCard, now: Date): IssuerAnswer {
  const known = findTestCard(card.number);
  const approvedOrNot: ResponseCode = known?.code ?? (isLuhnValid(Buffer.from(card.number, "latin1")) ? "00" : "14");
  return {
    code: approvedOrNot === "00" && hasExpired(card, now) ? "54" : approvedOrNot,
    avs: known?.avs ?? (card.hasAddress ? "match" : ""),
    cvv: known?.cvv ?? (card.hasSecurityCode ? "match" : ""),
    cardName: known?.name ?? "unlisted",
    cardLast4: card.number.slice(-4),
    refundsFail: known?.refundsFail ?? false,
  };
}

function hasExpired(card: PresentedCard, now: Date): boolean {
  return card.expYear * 12 + card.expMonth < now.getUTCFullYear() * 12 + now.getUTCMonth() + 1;
}
