/** An expiry date while it is typed: "12 / 35". Takes what people and browsers' autofill write: 1/35, 0135, 01/2035, 2035-01. Pure. */
import { digitsIn, type FieldState } from "./card-number.ts";

export type Expiry = { readonly month: number; readonly year: number };

const digitsMax = 6;
const century = 2000;
/** As the vault: further ahead is a typing error. */
const yearsMax = 50;

/** "0135", or "012035" when the year was written out. */
export function expiryIn(text: string): string {
  const iso = /^\s*(\d{4})-(\d{1,2})\s*$/.exec(text);
  if (iso !== null) return `${(iso[2] ?? "").padStart(2, "0")}${iso[1]}`;
  const isMonthDone = /^\s*\d\s*[/.\- ]/.test(text);
  const digits = digitsIn(isMonthDone ? `0${text.trimStart()}` : text, digitsMax);
  // No month begins with 2 to 9.
  const padded = /^[2-9]/.test(digits) ? `0${digits}` : digits;
  // Years of four digits begin with 20 here; another third digit means that two were meant.
  return padded.slice(0, padded.slice(2, 4) === "20" ? digitsMax : 4);
}

/** "0135" → "01 / 35". The slash follows the month only when more does, so that backspace works. */
export function formatExpiry(digits: string): string {
  return digits.length > 2 ? `${digits.slice(0, 2)} / ${digits.slice(2)}` : digits;
}

/** Undefined while it is not a whole month and year. "12/20" could become 12/2035, and is 2020 until then. */
export function readExpiry(digits: string): Expiry | undefined {
  if (digits.length !== 4 && digits.length !== digitsMax) return undefined;
  const month = Number(digits.slice(0, 2));
  const year = Number(digits.slice(2));
  if (month < 1 || month > 12) return undefined;
  return { month, year: digits.length === 4 ? century + year : year };
}

/** A card is good until its month is over everywhere on earth (UTC-12). `isLeft` as for numbers. */
export function judgeExpiry(digits: string, now: Date, isLeft: boolean): FieldState {
  if (digits === "") return "empty";
  const isMonth = digits.length < 2 || (Number(digits.slice(0, 2)) >= 1 && Number(digits.slice(0, 2)) <= 12);
  if (!isMonth) return "invalid";
  const expiry = readExpiry(digits);
  if (expiry === undefined) return isLeft ? "invalid" : "incomplete";
  const isOver = now.getTime() >= Date.UTC(expiry.year, expiry.month, 1, 12);
  if (!isOver && expiry.year <= now.getUTCFullYear() + yearsMax) return "complete";
  return digits.length === 4 && digits.endsWith("20") && !isLeft ? "incomplete" : "invalid";
}
