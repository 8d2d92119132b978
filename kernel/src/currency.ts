/**
 * Currencies: ISO 4217 codes a merchant can be paid in.
 *
 * The table is generated (currency-table.ts). Deliberately not here: rates, symbols and formatting; amounts stay in minor units.
 */
import { assert } from "./assert.ts";
import { currencies } from "./currency-table.ts";

export { currencies };
export type Currency = keyof typeof currencies;

/** True for an active code in capital letters; "usd" is not one. */
export function isCurrency(text: string): text is Currency {
  return Object.hasOwn(currencies, text);
}

/** Decimals of the minor unit: JPY 0, USD 2, BHD 3. Asserts that the code is known: ask `isCurrency` first. */
export function currencyDecimals(code: string): number {
  assert(isCurrency(code), "a currency is an active ISO 4217 code");
  return currencies[code].decimals;
}
