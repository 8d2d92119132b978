/**
 * What may stand between two groups of digits of one card number.
 *
 * `blank` and `mark`: what people type. `field`: the end of one quoted value and the beginning of the next, in JSON, CSV, YAML, a form, XML; also
 * with the backslashes of JSON inside JSON. `list`: members of a list without quotes.
 */

export type Glue = {
  readonly kind: "blank" | "mark" | "field" | "list";
  /** The same between all groups of a number. */
  readonly name: string;
};

/** Bytes. The patterns below only ever see a text of this length. */
export const gapMax = 64;

const blanks: ReadonlySet<string> = new Set([
  " ",
  "  ",
  "   ",
  "\t",
  "\u00c2\u00a0",
  "\u00a0",
  "+",
  "++",
  "&nbsp;",
  "\u00e2\u0080\u00af",
  "\u00e2\u0080\u0089",
]);
const marks: ReadonlySet<string> = new Set([
  "-",
  ".",
  "_",
  "/",
  "*",
  ":",
  "|",
  ",",
  " - ",
  "--",
  "\u00e2\u0080\u0093",
  "\u00e2\u0080\u0091",
  "\u00e2\u0080\u0090",
]);

const quote = String.raw`\\{0,7}["']`;
const space = String.raw`(?:\s|\\{1,4}[nrt])*`;
const name = String.raw`[\w.$:-]{1,40}`;
const fields: readonly (readonly [string, RegExp])[] = [
  ["list of texts", new RegExp(`^${quote}${space}[,;]${space}${quote}$`)],
  ["members", new RegExp(`^${quote}${space}[}]?${space},${space}[{]?${space}${quote}${name}${quote}${space}:${space}${quote}$`)],
  ["attributes", new RegExp(`^${quote}${space}${name}=${quote}$`)],
  ["form", new RegExp(`^&(?:amp;)?${name}=$`)],
  ["elements", new RegExp(String.raw`^<\/${name}>${space}<${name}>$`)],
  ["items", /^["']?\s*\n\s*-\s*["']?$/],
];
const listed = /^\s*,\s+$/;

const one: ReadonlyMap<number, Glue> = new Map(
  [...blanks, ...marks]
    .filter((text) => text.length === 1)
    .map((text) => [text.charCodeAt(0), { kind: blanks.has(text) ? "blank" : "mark", name: text }]),
);

/** Undefined when what stands between `end` and `start` parts two numbers. */
export function glueBetween(bytes: Uint8Array, end: number, start: number): Glue | undefined {
  if (start - end === 1) return bytes[end] === comma ? bareComma : one.get(bytes[end] as number);
  if (start - end > gapMax) return undefined;
  let text = "";
  for (let index = end; index < start; index++) text += String.fromCharCode(bytes[index] as number);
  if (blanks.has(text)) return { kind: "blank", name: text };
  if (marks.has(text)) return { kind: "mark", name: text };
  if (listed.test(text)) return { kind: "list", name: "list" };
  const found = fields.find(([, pattern]) => pattern.test(text));
  return found === undefined ? undefined : { kind: "field", name: found[0] };
}

const comma = 0x2c;
const bareComma: Glue = { kind: "list", name: "list" };
