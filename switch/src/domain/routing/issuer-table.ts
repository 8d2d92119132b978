/**
 * Who issued a card, as far as its first digits tell: the house's own table of issuer ranges. The vault knows a card's brand and not where it is from, so
 * without an entry here nobody knows its country.
 *
 * A card's BIN is its first six or eight digits (ISO/IEC 7812-1); a range is named by six to eight of them. No card number comes here.
 */
import type { Funding } from "./routing-request.ts";

export type Issuer = {
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** Unknown: the range has cards of several kinds, or nobody said. */
  readonly funding: Funding;
};

export type IssuerTable = {
  /** The entry with the longest prefix of this BIN. At most one look by length, however many entries there are. */
  readonly issuerOf: (bin: string) => Issuer | undefined;
};

/** Digits of a prefix. The longest first, which is the order of the looks. */
const prefixLengths = [8, 7, 6] as const;
export const prefixForm = /^[0-9]{6,8}$/;

export function makeIssuerTable(issuers: ReadonlyMap<string, Issuer>): IssuerTable {
  const byLength = prefixLengths
    .map((length) => ({ length, issuers: new Map([...issuers].filter(([prefix]) => prefix.length === length)) }))
    .filter((one) => one.issuers.size > 0);
  return {
    issuerOf(bin) {
      for (const { length, issuers: ofLength } of byLength) {
        const issuer = bin.length < length ? undefined : ofLength.get(bin.slice(0, length));
        if (issuer !== undefined) return issuer;
      }
      return undefined;
    },
  };
}
