/** Card numbers nobody has published: a network's prefix, random digits, a check digit. Made when a test runs, never written down. */
import type { Seeded } from "./seeded.ts";

/** Prefix and length, as the networks issue cards today. */
const issued: readonly (readonly [prefix: string, length: number])[] = [
  ["4", 16],
  ["4", 16],
  ["4", 13],
  ["4", 19],
  ["51", 16],
  ["55", 16],
  ["2221", 16],
  ["2720", 16],
  ["34", 15],
  ["37", 15],
  ["6011", 16],
  ["65", 16],
  ["36", 14],
  ["305", 14],
  ["38", 16],
  ["3528", 16],
  ["3589", 16],
  ["62", 16],
  ["62", 19],
  ["81", 16],
  ["50", 16],
  ["6759", 16],
  ["6304", 19],
  ["58", 18],
  ["2202", 16],
  ["6076", 16],
  ["9792", 16],
  ["8600", 16],
];

export function madeUpNumber(random: Seeded): string {
  const [prefix, length] = random.pick(issued);
  const body = prefix + random.digits(length - prefix.length - 1);
  return body + checkDigit(body);
}

/** ISO/IEC 7812-1 annex B, from the right. */
function checkDigit(body: string): string {
  const sum = [...body].reverse().reduce((total, character, index) => {
    const value = Number(character) * (index % 2 === 0 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return String((10 - (sum % 10)) % 10);
}
