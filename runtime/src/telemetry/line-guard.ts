/**
 * The last guard over whatever text leaves the process for people: log lines and span attributes.
 *
 * Masked are: 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1); fields whose name says that they hold card data or a
 * credential, at any depth; passwords inside URLs. It is not what keeps card numbers out of logs (types and process boundaries do
 * that); it is what makes a mistake harmless. One in ten innocent numbers of that length passes the check and is masked too.
 *
 * It works on the finished line, because that is the only place that everything passes: fields, bindings of child loggers, errors.
 */
import { isLuhnValid } from "@florin/kernel";

const digitsMin = 13;
const digitsMax = 19;
/** Groups of digits with single spaces or dashes between them, 13 digits or more in all. */
const candidates = /\d(?:[ -]?\d){12,}/g;
/** Cheap test for the common case of text without any long number. */
const mayHold = /\d(?:[ -]?\d){12}/;
const mask = "[masked number]";

/** The text with every possible card number replaced. Text without one comes back as it is. */
export function maskCardNumbers(text: string): string {
  return mayHold.test(text) ? text.replace(candidates, maskRun) : text;
}

/** A number may stand beside other digits ("try 2 4242…"), so every sequence of whole groups is tried, the longest first. */
function maskRun(run: string): string {
  const pieces = run.split(/([ -])/);
  for (let first = 0; first < pieces.length; first += 2) {
    for (let last = pieces.length - 1; last >= first; last -= 2) {
      if (!isCardNumber(pieces.slice(first, last + 1))) continue;
      pieces.splice(first, last - first + 1, mask);
      break;
    }
  }
  return pieces.join("");
}

function isCardNumber(pieces: readonly string[]): boolean {
  const digits = pieces.filter((_, index) => index % 2 === 0).join("");
  return digits.length >= digitsMin && digits.length <= digitsMax && isLuhnValid(Buffer.from(digits, "latin1"));
}

/** A field with one of these names is masked whole. */
const secretFields = [
  "pan",
  "card",
  "card_number",
  "cardNumber",
  "number",
  "cvc",
  "cvv",
  "authorization",
  "cookie",
  "password",
  "secret",
  "api_key",
  "apiKey",
  "secret_key",
  "secretKey",
  "pepper",
  "kek",
  "dek",
] as const;
const secretFieldNames: ReadonlySet<string> = new Set(secretFields.map((field) => field.toLowerCase()));
const secretField = new RegExp(`"(?:${secretFields.join("|")})":`, "i");
const urlPassword = /(:\/\/[^\s:@/]*):[^\s@/]+@/g;
const redacted = "[redacted]";

/** One line of JSON with everything masked that must be; stays valid JSON. A harmless line, which is nearly every one, is only looked at. */
export function maskLine(line: string): string {
  if (!mayHold.test(line) && !secretField.test(line) && line.search(urlPassword) < 0) return line;
  try {
    return `${JSON.stringify(maskValue(JSON.parse(line)))}\n`;
  } catch {
    return maskText(line);
  }
}

/** Card numbers and passwords of URLs in a text. */
function maskText(text: string): string {
  return maskCardNumbers(text).replace(urlPassword, `$1:${redacted}@`);
}

function maskValue(value: unknown): unknown {
  if (typeof value === "string") return maskText(value);
  if (typeof value === "number") return isTime(value) ? value : maskNumber(value);
  if (Array.isArray(value)) return value.map(maskValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [maskText(name), secretFieldNames.has(name.toLowerCase()) ? redacted : maskValue(inner)]),
  );
}

/** Milliseconds or microseconds since 1970, until the year 2033. */
function isTime(value: number): boolean {
  const text = String(value);
  return text.startsWith("1") && (text.length === 13 || text.length === 16);
}

function maskNumber(value: number): number | string {
  const text = String(value);
  return maskCardNumbers(text) === text ? value : mask;
}
