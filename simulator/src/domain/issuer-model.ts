/**
 * Who would approve what: cards, their issuers, and the acquirers' ways to them. Pure; the same question has the same answer, whoever asks.
 *
 * A decline has one of two causes. The issuer refuses the card (no funds, lost): then every acquirer is told so, at any time. Or the acquirer's
 * way fails it (the quality of its data, its standing with this kind of card, its bad hour): then another acquirer's may be approved. And an
 * acquirer can be out of order for some minutes. The shares are those of card-not-present sales: about one in seven declined at first, about half
 * of them by the issuer for good.
 *
 * Not here: connections that break and answers that do not come. Those are the network's, or a fault rule's.
 */
import { type CardBrand, required } from "@florin/kernel";
import { draw, pick } from "./draw.ts";
import type { ResponseCode } from "./response-code.ts";

/** The card's issuer as the merchant's country sees it. */
export type CardRegion = "domestic" | "intra_eea" | "international";

/** How well one acquirer does; shares in [0, 1]. */
export type AcquirerWay = {
  /** Approved of what the issuer would approve, by "brand/region" of the card; `usual` for the others. */
  readonly usual: number;
  readonly special: Readonly<Partial<Record<`${CardBrand}/${CardRegion}`, number>>>;
  /** From hour to hour (of the day, UTC, `from` included), a bad time with this share instead. */
  readonly badHours: { readonly from: number; readonly to: number; readonly share: number } | undefined;
  /** In so many of the hours it gets out of order, from some minute on, for so long. */
  readonly outages: { readonly perHour: number; readonly minutes: number };
};

export type Question = {
  readonly acquirer: string;
  readonly brand: string;
  readonly region: CardRegion;
  readonly atMs: number;
  /** What the chance of this payment hangs on: the same word, the same luck with each acquirer. */
  readonly luck: string;
};

const softCodes = ["05", "19", "91", "96"] as const satisfies readonly ResponseCode[];
export type SoftCode = (typeof softCodes)[number];

/** Issuers that refuse a card for good; most of them for want of money. */
const refusalShare = 0.07;
const refusalCodes = ["51", "51", "51", "51", "51", "51", "51", "51", "51", "51", "54", "N7", "N7", "59", "41", "43", "46", "12"] as const;
export type RefusalCode = (typeof refusalCodes)[number];

/** Of every twelve cards: what a merchant in the middle of Europe sees. */
const regions: readonly CardRegion[] = [
  ...(Array<CardRegion>(5).fill("domestic") as CardRegion[]),
  ...(Array<CardRegion>(4).fill("intra_eea") as CardRegion[]),
  ...(Array<CardRegion>(3).fill("international") as CardRegion[]),
];

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export type IssuerModel = {
  /** Why the issuer of this card refuses it, whatever the way and the time; undefined: it does not. `card` is any stable word for it. */
  refusalOf(card: string): RefusalCode | undefined;
  /** The region of a card by the first digits of its number: this world has no table of issuers, so they are drawn. */
  regionOf(bin: string): CardRegion;
  isOutOfOrder(acquirer: string, atMs: number): boolean;
  /** What comes back for a card that the issuer does not refuse: an approval, or a decline that another way may not meet. */
  answerOf(question: Question): "00" | SoftCode;
};

export function createIssuerModel(o: { readonly seed: number; readonly ways: Readonly<Record<string, AcquirerWay>> }): IssuerModel {
  const { seed } = o;
  const wayOf = (acquirer: string): AcquirerWay => required(o.ways[acquirer], `the way of the acquirer ${acquirer}`);
  return {
    refusalOf(card) {
      return draw(seed, "refused", card) < refusalShare ? pick(refusalCodes, draw(seed, "why refused", card)) : undefined;
    },
    regionOf: (bin) => pick(regions, draw(seed, "region", bin)),
    isOutOfOrder: (acquirer, atMs) => isOut(seed, acquirer, wayOf(acquirer), atMs),
    answerOf({ acquirer, brand, region, atMs, luck }) {
      const share = shareAt(wayOf(acquirer), `${brand}/${region}`, atMs);
      return draw(seed, "way", acquirer, luck) < share ? "00" : pick(softCodes, draw(seed, "why not", acquirer, luck));
    },
  };
}

function shareAt({ usual, special, badHours }: AcquirerWay, kind: string, atMs: number): number {
  const hour = Math.floor(atMs / hourMs) % 24;
  if (badHours !== undefined && hour >= badHours.from && hour < badHours.to) return badHours.share;
  return (special as Readonly<Record<string, number | undefined>>)[kind] ?? usual;
}

function isOut(seed: number, acquirer: string, { outages }: AcquirerWay, atMs: number): boolean {
  const thisHour = Math.floor(atMs / hourMs);
  // One that began in an hour before may last into this one.
  for (let hour = thisHour - Math.ceil(outages.minutes / 60); hour <= thisHour; hour++) {
    if (draw(seed, "outage", acquirer, String(hour)) >= outages.perHour) continue;
    const beginsAtMs = hour * hourMs + Math.floor(draw(seed, "outage begins", acquirer, String(hour)) * 60) * minuteMs;
    if (atMs >= beginsAtMs && atMs < beginsAtMs + outages.minutes * minuteMs) return true;
  }
  return false;
}
