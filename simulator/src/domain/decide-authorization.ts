/** What the issuer behind the acquirer says to one authorization. Pure. */
import { brandOf, isLuhnValid } from "@florin/kernel";
import type { IssuerModel } from "./issuer-model.ts";
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
  /** The encrypted PIN block as hexadecimal digits; undefined where none came. */
  readonly pinBlock?: string | undefined;
};

const binDigits = 6;
/** No key of a sandbox opens a PIN block: this one is taken for a wrong PIN, every other for the right one. */
const wrongPinBlock = "F".repeat(16);

export type IssuerAnswer = {
  readonly code: ResponseCode;
  readonly avs: AvsAnswer;
  readonly cvv: CvvAnswer;
  readonly cardName: string;
  readonly cardLast4: string;
  readonly refundsFail: boolean;
};

/** A world in which cards are refused and acquirers fail to get through, beyond what the test cards are documented to do. */
export type World = {
  readonly issuers: IssuerModel;
  readonly acquirer: string;
  /** See `Question.luck`. */
  readonly luck: string;
};

/** `now` in UTC decides whether the card has expired: a card is good until the end of its month. Without a `world` test cards answer as documented. */
export function decideAuthorization(card: PresentedCard, now: Date, world?: World): IssuerAnswer {
  const known = findTestCard(card.number);
  const approvedOrNot: ResponseCode = known?.code ?? (isLuhnValid(Buffer.from(card.number, "latin1")) ? "00" : "14");
  const documented: ResponseCode = approvedOrNot === "00" ? (refusalOf(card, now) ?? "00") : approvedOrNot;
  return {
    code: documented === "00" && world !== undefined ? codeInWorld(card, now, { ...world, isListed: known !== undefined }) : documented,
    avs: known?.avs ?? (card.hasAddress ? "match" : ""),
    cvv: known?.cvv ?? (card.hasSecurityCode ? "match" : ""),
    cardName: known?.name ?? "unlisted",
    cardLast4: card.number.slice(-4),
    refundsFail: known?.refundsFail ?? false,
  };
}

/** The issuer of a listed card refuses what the list says and nothing else, or a handful of cards would decide what a whole load run sees. */
function codeInWorld({ number }: PresentedCard, now: Date, o: World & { readonly isListed: boolean }): ResponseCode {
  const { issuers, acquirer, luck } = o;
  const refusal = o.isListed ? undefined : issuers.refusalOf(number);
  if (refusal !== undefined) return refusal;
  const brand = brandOf(Buffer.from(number, "latin1"));
  return issuers.answerOf({ acquirer, brand, region: issuers.regionOf(number.slice(0, binDigits)), atMs: now.getTime(), luck });
}

function refusalOf(card: PresentedCard, now: Date): ResponseCode | undefined {
  if (hasExpired(card, now)) return "54";
  return card.pinBlock === wrongPinBlock ? "55" : undefined;
}

function hasExpired(card: PresentedCard, now: Date): boolean {
  return card.expYear * 12 + card.expMonth < now.getUTCFullYear() * 12 + now.getUTCMonth() + 1;
}
