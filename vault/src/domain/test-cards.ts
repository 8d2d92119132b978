/**
 * The only numbers that test mode takes, found without making a string of a number, and the well-known token of each.
 *
 * Well-known tokens are `tok_<brand>_<last four>`; a card with a purpose has a speaking name besides. They open for every merchant, in test mode
 * only, so that a first payment needs no card fields. Tests keep both names unique. The table itself is the kernel's, because the acquirer of
 * the sandbox must know every card that is taken here.
 */
import { brandOf, type CardBrand } from "@florin/kernel";
import { type TestCard, type TestCardName, testCardNames, testCards } from "@florin/kernel/test-cards";

/** The test card of this number (ASCII digits). */
export function findTestCard(number: Uint8Array): TestCard | undefined {
  const name = testCardNames.find((candidate) => isSame(number, testCards[candidate].number));
  return name === undefined ? undefined : testCards[name];
}

/** Byte by byte, so that a real number never becomes a string. */
function isSame(number: Uint8Array, digits: string): boolean {
  if (number.length !== digits.length) return false;
  for (let index = 0; index < number.length; index++) if (number[index] !== digits.charCodeAt(index)) return false;
  return true;
}

export type WellKnownCard = TestCard & { readonly brand: CardBrand };

/** Every name of every well-known token. */
export const wellKnownTokens: ReadonlyMap<string, WellKnownCard> = new Map(
  testCardNames.flatMap((name) => {
    const { number } = testCards[name];
    const brand = brandOf(Buffer.from(number, "latin1"));
    const known = { ...testCards[name], brand };
    return [`tok_${brand}_${number.slice(-4)}`, ...speakingToken(name, brand)].map((token) => [token, known] as const);
  }),
);

/** `tok_visa_debit` of visa_debit, `tok_visa_disputed` of disputed; none of a card that is its brand's plain one. */
function speakingToken(name: TestCardName, brand: CardBrand): readonly string[] {
  if (name === brand) return [];
  return [name.startsWith(`${brand}_`) ? `tok_${name}` : `tok_${brand}_${name}`];
}

/** What well-known tokens say besides the number. Far enough away for every sandbox. */
export const wellKnownExpiry = { expMonth: 12, expYear: 2035 } as const;
export const wellKnownCode = (brand: string): string => (brand === "amex" ? "1234" : "123");
