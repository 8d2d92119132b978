/**
 * Published test numbers: of Florin's own table, and those that processors and networks print in their documents. They belong to nobody, so a scan tells
 * them apart: a leaked one is a sign of a leaking path, not an incident.
 */
import { testCards } from "@florin/kernel/test-cards";

export const publishedElsewhere = [
  // Visa.
  "4111111111111111",
  "4012888888881881",
  "4222222222222",
  "4917610000000000",
  "4444333322221111",
  // Mastercard.
  "5454545454545454",
  "5424000000000015",
  "2222400070000005",
  "5555341244441115",
  // American Express.
  "370000000000002",
  "378734493671000",
  // Discover, Diners, JCB, UnionPay, Maestro.
  "6011000000000012",
  "36006666333344",
  "38000000000006",
  "3530111333300000",
  "6759649826438453",
  "6304000000000000",
] as const;

const known: ReadonlySet<string> = new Set([...Object.values(testCards).map(({ number }) => number), ...publishedElsewhere]);

/** `digits` are ASCII. */
export function isPublishedTestNumber(digits: Uint8Array): boolean {
  return known.has(String.fromCharCode(...digits));
}
