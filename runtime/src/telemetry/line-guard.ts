/**
 * The last guard over whatever text leaves the process for people: log lines, span attributes, messages of error answers.
 *
 * Masked are: card numbers in any spelling that the detector knows (@florin/detector); fields whose name says that they hold card data or a
 * credential, at any depth; passwords inside URLs. It is not what keeps card numbers out of logs (types and process boundaries do
 * that); it is what makes a mistake harmless, and tells of it.
 *
 * It works on the finished line, because that is the only place that everything passes: fields, bindings of child loggers, errors.
 */
import { findInText } from "@florin/detector";

const mask = "[masked number]";

/** What a text is on its way to. In an answer it is what the caller sent, and its own mistake; in the others it is ours. */
export const maskedPlaces = ["log", "span", "answer"] as const;
export type MaskedPlace = (typeof maskedPlaces)[number];

/** The text with every card number replaced, all of its digits. Text without one comes back as it is. */
export function maskCardNumbers(text: string, place: MaskedPlace): string {
  const findings = findInText(text);
  if (findings.length === 0) return text;
  masks[place] += findings.length;
  let masked = "";
  let told = 0;
  for (const { start, end } of findings) {
    if (start < told) continue;
    masked += text.slice(told, start) + mask;
    told = Math.max(told, end);
  }
  masked += text.slice(told);
  // Where an encoding does not tell its end exactly, a part of it may be left.
  return findInText(masked).length === 0 ? masked : mask;
}

const masks: Record<MaskedPlace, number> = { log: 0, span: 0, answer: 0 };

/** How many this process has masked since it began. Never goes down. */
export function countCardNumbersMasked(place: MaskedPlace): number {
  return masks[place];
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
  "pin",
  "pin_block",
  "pinBlock",
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

/** A line fit to be written. `maskedIn`: the path of the first field in which a card number stood; undefined when there was none. */
export type GuardedLine = { readonly line: string; readonly maskedIn: string | undefined };

/** One line of JSON with everything masked that must be; stays valid JSON. A harmless line, which is nearly every one, is only looked at. */
export function guardLine(line: string): GuardedLine {
  const hasNumber = findInText(line).length > 0;
  if (!hasNumber && !secretField.test(line) && line.search(urlPassword) < 0) return { line, maskedIn: undefined };
  const walk: Walk = { hasNumber, maskedIn: undefined };
  const masked = maskWhole(line, walk);
  if (!hasNumber) return { line: masked, maskedIn: undefined };
  // A number in parts, each harmless on its own: nothing short of the line is known to be clean.
  if (findInText(masked).length > 0) return { line: withheld(line), maskedIn: "several fields" };
  return { line: masked, maskedIn: walk.maskedIn ?? "the line" };
}

type Walk = { readonly hasNumber: boolean; maskedIn: string | undefined };

function maskWhole(line: string, walk: Walk): string {
  try {
    return `${JSON.stringify(maskValue(JSON.parse(line), "", walk))}\n`;
  } catch {
    return maskText(line, "", walk);
  }
}

/** When and how bad, and not what. */
function withheld(line: string): string {
  masks.log += 1;
  const { level, time } = /"level":"(?<level>[a-z]{1,10})","time":"(?<time>[0-9TZ:.-]{1,30})"/.exec(line)?.groups ?? {};
  return `${JSON.stringify({ level, time, msg: "[a line withheld: it held a card number in parts]" })}\n`;
}

/** Card numbers and passwords of URLs in a text. */
function maskText(text: string, path: string, walk: Walk): string {
  const masked = walk.hasNumber ? maskCardNumbers(text, "log") : text;
  if (masked !== text) walk.maskedIn ??= path;
  return masked.replace(urlPassword, `$1:${redacted}@`);
}

function maskValue(value: unknown, path: string, walk: Walk): unknown {
  if (typeof value === "string") return maskText(value, path, walk);
  if (typeof value === "number") return walk.hasNumber ? maskNumber(value, path, walk) : value;
  if (Array.isArray(value)) return value.map((inner) => maskValue(inner, path, walk));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const shown = maskText(name, path, walk);
      const innerPath = path === "" ? shown : `${path}.${shown}`;
      return [shown, secretFieldNames.has(name.toLowerCase()) ? redacted : maskValue(inner, innerPath, walk)];
    }),
  );
}

function maskNumber(value: number, path: string, walk: Walk): number | string {
  const text = String(value);
  return maskText(text, path, walk) === text ? value : mask;
}
