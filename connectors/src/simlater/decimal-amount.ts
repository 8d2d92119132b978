/** simlater's amounts: decimal strings with exactly the currency's decimals, "10.00" EUR, "10" JPY, "10.000" BHD. Never through a float. */
import { currencyDecimals, isCurrency } from "@florin/kernel";

export function formatDecimal(amountMinor: bigint, currency: string): string {
  const decimals = currencyDecimals(currency);
  const digits = String(amountMinor).padStart(decimals + 1, "0");
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** Minor units; undefined for whatever is not written as this house would write it. */
export function parseDecimal(value: string, currency: string): bigint | undefined {
  if (!isCurrency(currency) || !/^\d{1,16}(\.\d{1,4})?$/.test(value)) return undefined;
  const amountMinor = BigInt(value.replace(".", ""));
  return formatDecimal(amountMinor, currency) === value ? amountMinor : undefined;
}
