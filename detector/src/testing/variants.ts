/**
 * How a card number may come to stand in a file: laid out, put into a text or a structure, encoded once, twice or not at all. Made with the encoders of
 * Node only; nothing here knows how the detector reads.
 */
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { Seeded } from "./seeded.ts";

export type Variant = { readonly bytes: Buffer; readonly name: string };

const printedAs = (number: string): readonly number[] => {
  if (number.length === 15) return [4, 6, 5];
  if (number.length === 14) return [4, 6, 4];
  return number.length === 13 ? [4, 4, 4, 1] : [4, 4, 4, 4, ...(number.length > 16 ? [number.length - 16] : [])];
};

function cut(number: string, sizes: readonly number[]): string[] {
  let from = 0;
  return sizes.map((size) => {
    from += size;
    return number.slice(from - size, from);
  });
}

const even = (number: string, size: number): string[] => number.match(new RegExp(`.{1,${size}}`, "g")) ?? [];

type Layout = (number: string, random: Seeded) => string;
const layouts: Readonly<Record<string, Layout>> = {
  plain: (number) => number,
  "plain again": (number) => number,
  blanks: (number) => cut(number, printedAs(number)).join(" "),
  dashes: (number) => cut(number, printedAs(number)).join("-"),
  points: (number) => cut(number, printedAs(number)).join("."),
  "no-break blanks": (number) => cut(number, printedAs(number)).join("\u00a0"),
  "two blanks": (number) => cut(number, printedAs(number)).join("  "),
  "digit by digit": (number, random) => [...number].join(random.pick([" ", "-"])),
  "even groups": (number, random) => even(number, 2 + random.integer(6)).join(random.pick([" ", "-"])),
  "any groups": (number, random) => {
    const first = 3 + random.integer(number.length - 6);
    return [number.slice(0, first), number.slice(first)].join(random.pick([" ", "-"]));
  },
};

type Place = (laidOut: string, random: Seeded) => string;
const places: Readonly<Record<string, Place>> = {
  alone: (text) => text,
  sentence: (text, random) => `the customer ${random.digits(3)} gave ${text}, please check. Thanks`,
  json: (text, random) => JSON.stringify({ id: random.integer(1e6), payment: { card: { number: text, exp: "12/31" } } }),
  "json in json": (text) => JSON.stringify({ body: JSON.stringify({ card: { number: text } }) }),
  "json thrice": (text) => JSON.stringify({ a: JSON.stringify({ b: JSON.stringify([text]) }) }),
  "log line": (text) => JSON.stringify({ level: "info", time: "2026-11-21T05:37:56.695Z", msg: `declined ${text}`, duration_ms: 12 }),
  sql: (text) => `INSERT INTO cards VALUES (17, '${text}', '2031-12-01', 'x');`,
  csv: (text) => `17;Jane;${text};12/31\n`,
  url: (text) => `https://shop.example/pay?card=${encodeURIComponent(text)}&amount=1000`,
  form: (text) => new URLSearchParams({ amount: "1000", card: text, cvc: "123" }).toString(),
  xml: (text) => `<card brand="x"><number>${text}</number></card>`,
  multiline: (text) => `card\n${text}\n12/31\n`,
};

type Split = (number: string, random: Seeded) => string;
const pieces = (number: string, random: Seeded): string[] =>
  random.integer(3) === 0 ? [number.slice(0, 6), number.slice(6, -4), number.slice(-4)] : cut(number, printedAs(number));
const splits: Readonly<Record<string, Split>> = {
  "list of texts": (number, random) => JSON.stringify({ groups: pieces(number, random) }),
  "indented list": (number, random) => JSON.stringify({ groups: pieces(number, random) }, undefined, 2),
  members: (number, random) =>
    JSON.stringify({ ...Object.fromEntries(pieces(number, random).map((piece, index) => [`part${index + 1}`, piece])), exp: "12/31" }),
  objects: (number, random) => JSON.stringify(pieces(number, random).map((digits) => ({ digits }))),
  "list of digits": (number) => JSON.stringify([...number].map(Number)),
  "list of digit texts": (number) => JSON.stringify({ n: [...number] }),
  "form fields": (number, random) =>
    pieces(number, random)
      .map((piece, index) => `cc${"abcd"[index] ?? "e"}=${piece}`)
      .join("&"),
  elements: (number, random) =>
    pieces(number, random)
      .map((piece) => `<part>${piece}</part>`)
      .join(""),
  "csv fields": (number, random) =>
    pieces(number, random)
      .map((piece) => `"${piece}"`)
      .join(","),
};

type Encode = (bytes: Buffer, random: Seeded) => Buffer;
const each = (bytes: Buffer, write: (hex: string) => string): Buffer =>
  Buffer.from([...bytes].map((byte) => write(byte.toString(16).padStart(2, "0"))).join(""));
/** Bytes that are no text become one as they usually do. */
const asText = (bytes: Buffer): string => bytes.toString(bytes.every((byte) => byte >= 9) ? "latin1" : "base64");
const encodings: Readonly<Record<string, Encode>> = {
  base64: (bytes) => Buffer.from(bytes.toString("base64")),
  base64url: (bytes) => Buffer.from(bytes.toString("base64url")),
  "base64 in json": (bytes) => Buffer.from(JSON.stringify({ data: bytes.toString("base64") })),
  "base64 in lines": (bytes) => Buffer.from(bytes.toString("base64").replace(/.{76}/g, "$&\r\n")),
  hex: (bytes) => Buffer.from(bytes.toString("hex")),
  "hex, capital": (bytes) => Buffer.from(`0x${bytes.toString("hex").toUpperCase()}`),
  bytea: (bytes) => Buffer.from(`\\x${bytes.toString("hex")}`),
  inspected: (bytes) => Buffer.from(`<Buffer ${bytes.toString("hex").replace(/..\B/g, "$& ")}>`),
  "buffer in json": (bytes) => Buffer.from(JSON.stringify(bytes)),
  "every byte percent": (bytes) => each(bytes, (hex) => `%${hex}`),
  uri: (bytes) =>
    Buffer.from([...bytes].map((byte) => (byte < 128 ? encodeURIComponent(String.fromCharCode(byte)) : `%${byte.toString(16)}`)).join("")),
  "u escapes": (bytes) => each(bytes, (hex) => `\\u00${hex}`),
  "x escapes": (bytes) => each(bytes, (hex) => `\\x${hex}`),
  references: (bytes) => Buffer.from([...bytes].map((byte) => `&#${byte};`).join("")),
  "utf-16": (bytes) => Buffer.from(asText(bytes), "utf16le"),
  "utf-16 big": (bytes) => Buffer.from(asText(bytes), "utf16le").swap16(),
  gzip: (bytes) => gzipSync(bytes),
  "gzip among others": (bytes, random) => Buffer.concat([random.bytes(20), gzipSync(bytes), random.bytes(20)]),
  zlib: (bytes) => deflateSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
};

const layoutNames = Object.keys(layouts);
const placeNames = Object.keys(places);
const splitNames = Object.keys(splits);
const encodingNames = Object.keys(encodings);
const nestingMax = 2;

/** One spelling of `number`. `name` tells which, for a test that misses it. */
export function variantOf(number: string, random: Seeded): Variant {
  const names: string[] = [];
  let bytes: Buffer;
  if (random.integer(4) === 0) {
    const split = random.pick(splitNames);
    names.push(split);
    bytes = Buffer.from((splits[split] as Split)(number, random));
  } else {
    const layout = random.pick(layoutNames);
    const place = random.pick(placeNames);
    names.push(layout, place);
    bytes = Buffer.from((places[place] as Place)((layouts[layout] as Layout)(number, random), random));
  }
  for (let left = random.integer(nestingMax + 1); left > 0; left--) {
    const encoding = random.pick(encodingNames);
    names.push(encoding);
    bytes = (encodings[encoding] as Encode)(bytes, random);
  }
  return { bytes, name: names.join(" > ") };
}
