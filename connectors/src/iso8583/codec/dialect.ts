/**
 * A dialect is data: the formats of its fields, and for each ingredient of the wire one word (characters, digits, binary data, length
 * prefixes, bitmap, padding). `makeDialect` composes field = packing + length prefix + padding once; encoding and decoding only follow it.
 */
import { assert } from "@florin/kernel";
import { type CharacterSetName, characterSets } from "./character-set.ts";
import { type Content, type FieldFormat, parseFormat } from "./field-format.ts";
import { binaryPrefix, decimalPrefix, type LengthPrefix, prefixHalfBytes } from "./length-prefix.ts";
import { characters, hexBytes, type OddDigits, type Packing, packedDigits, rawBytes, signedAmount } from "./packing.ts";

/** How the ingredients of fields lie on the wire. */
export type WireManner = {
  readonly characters: CharacterSetName;
  /** `n` and `z`: a character or a half byte each. */
  readonly digits: "characters" | "packed";
  /** `b`: as it is, or two hexadecimal digits per byte. */
  readonly binary: "raw" | "hex";
  readonly prefix: "characters" | "packed" | "binary";
  /** What the prefix of hexadecimal data counts. Any other prefix counts characters, digits or bytes. */
  readonly hexPrefixCounts: "bytes" | "hex digits";
  /** Packed digits of odd number, in fields of fixed and of variable length. */
  readonly oddDigits: { readonly fixed: OddDigits; readonly variable: OddDigits };
};

export type DialectData = WireManner & {
  readonly name: string;
  readonly version: "1987" | "1993";
  readonly mti: "characters" | "packed";
  readonly bitmap: "raw" | "hex";
  readonly formats: Readonly<Record<number, string>>;
  /** Fields of this processor that are made in another manner than the rest. */
  readonly exceptions?: Readonly<Record<number, Partial<WireManner> & { readonly format?: string }>>;
  /** Fields whose values are `Secret`s. */
  readonly secrets: readonly number[];
};

export type FieldCodec = {
  readonly number: number;
  readonly content: Content;
  readonly isSecret: boolean;
  readonly lengthMax: number;
  readonly packing: Packing;
  /** Undefined: fixed length, shorter text is padded. */
  readonly prefix: LengthPrefix | undefined;
  /** What the prefix counts of each character or byte: 2 where it counts hexadecimal digits. */
  readonly prefixScale: 1 | 2;
};

export type Dialect = {
  readonly name: string;
  /** First digit of every message type, ASCII. */
  readonly versionDigit: number;
  readonly mti: Packing;
  readonly bitmap: Packing;
  /** By field number; undefined where there is no such field. */
  readonly fields: readonly (FieldCodec | undefined)[];
};

export const fieldNumberMax = 128;
const versionDigits = { "1987": 0x30, "1993": 0x31 } as const;

/** Throws on data that contradict themselves: dialects are part of the program. */
export function makeDialect(data: DialectData): Dialect {
  const charset = characterSets[data.characters];
  const fields: (FieldCodec | undefined)[] = new Array(fieldNumberMax + 1).fill(undefined);
  for (const key of Object.keys(data.formats)) {
    const number = Number(key);
    // Bit 1 says that there is a second bitmap, bit 65 would say that there is a third.
    assert(number >= 2 && number <= fieldNumberMax && number !== 65, `DE ${key} can be a field`);
    fields[number] = makeField(data, number);
  }
  for (const number of data.secrets) assert(fields[number] !== undefined, `DE ${number} is a field of ${data.name}`);
  return {
    name: data.name,
    versionDigit: versionDigits[data.version],
    mti: data.mti === "packed" ? packedDigits(data.oddDigits.fixed) : characters(charset),
    bitmap: data.bitmap === "raw" ? rawBytes : hexBytes(charset),
    fields,
  };
}

function makeField(data: DialectData, number: number): FieldCodec {
  const exception = data.exceptions?.[number];
  const manner: WireManner = { ...data, ...exception };
  const text = exception?.format ?? data.formats[number];
  assert(text !== undefined, `DE ${number} has a format`);
  const format = parseFormat(text);
  return {
    number,
    content: format.content,
    isSecret: data.secrets.includes(number),
    lengthMax: format.lengthMax,
    packing: packingOf(manner, format),
    prefix: prefixOf(manner, format),
    prefixScale: format.content === "b" && manner.binary === "hex" && manner.hexPrefixCounts === "hex digits" ? 2 : 1,
  };
}

function packingOf(manner: WireManner, { content, prefixDigits }: FieldFormat): Packing {
  const charset = characterSets[manner.characters];
  const text = characters(charset);
  const odd = prefixDigits === 0 ? manner.oddDigits.fixed : manner.oddDigits.variable;
  const digits = manner.digits === "packed" ? packedDigits(odd) : text;
  if (content === "b") return manner.binary === "raw" ? rawBytes : hexBytes(charset);
  if (content === "x+n") return signedAmount(text, digits);
  return content === "n" || content === "z" ? digits : text;
}

function prefixOf(manner: WireManner, { prefixDigits }: FieldFormat): LengthPrefix | undefined {
  if (prefixDigits === 0) return undefined;
  if (manner.prefix === "binary") return binaryPrefix(prefixDigits === 2 ? 1 : 2);
  return decimalPrefix(prefixDigits, manner.prefix === "packed" ? prefixHalfBytes : characters(characterSets[manner.characters]));
}
