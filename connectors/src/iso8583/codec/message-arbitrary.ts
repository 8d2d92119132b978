/** Messages for property tests: any fields of a dialect, with values that fit their formats. */
import { Secret } from "@florin/kernel";
import fc from "fast-check";
import { type Dialect, type DialectData, type FieldCodec, makeDialect } from "./dialect.ts";
import type { FieldValue, IsoMessage } from "./message.ts";

const alphabets = {
  a: "ABCXYZabcxyz ",
  n: "0123456789",
  an: "ABCxyz0189 ",
  ans: Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index)).join(""),
  z: "0123456789=",
} as const;

export function anyMessage(data: DialectData): fc.Arbitrary<IsoMessage> {
  const fields = makeDialect(data).fields.filter((field) => field !== undefined);
  const version = data.version === "1987" ? "0" : "1";
  const mti = fc.stringMatching(/^[0-9]{3}$/).map((rest) => version + rest);
  const some = fc.uniqueArray(fc.nat(fields.length - 1), { maxLength: 24 });
  return fc
    .tuple(
      mti,
      some.chain((chosen) => fc.tuple(...chosen.map((index) => anyEntry(fields[index] as FieldCodec)))),
    )
    .map(([type, entries]) => ({ mti: type, fields: new Map(entries) }));
}

function anyEntry(field: FieldCodec): fc.Arbitrary<readonly [number, FieldValue]> {
  return anyCodes(field).map((codes) => [field.number, fieldValue(field, codes)] as const);
}

function fieldValue(field: FieldCodec, codes: Uint8Array): FieldValue {
  if (field.isSecret) return new Secret(codes);
  return field.content === "b" ? codes : Buffer.from(codes).toString("latin1");
}

function anyCodes({ content, lengthMax, prefix, isSecret }: FieldCodec): fc.Arbitrary<Uint8Array> {
  const isFixed = prefix === undefined;
  if (content === "b")
    return fc.uint8Array({ minLength: isFixed ? lengthMax : 0, maxLength: lengthMax }).map((bytes) => new Uint8Array(bytes));
  const toCodes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
  if (content === "x+n") {
    const digits = fc.string({ unit: fc.constantFrom(...alphabets.n), minLength: lengthMax - 1, maxLength: lengthMax - 1 });
    return fc.tuple(fc.constantFrom("C", "D"), digits).map(([sign, rest]) => toCodes(sign + rest));
  }
  const minLength = isFixed && isSecret ? lengthMax : 0;
  return fc.string({ unit: fc.constantFrom(...alphabets[content]), minLength, maxLength: lengthMax, size: "max" }).map(toCodes);
}

/** What comes back: digits of fixed length with zeros before them, other text of fixed length without blanks behind it. */
export function normalized(dialect: Dialect, message: IsoMessage): IsoMessage {
  const fields = [...message.fields].map(([number, value]) => {
    const field = dialect.fields[number];
    if (field === undefined || field.prefix !== undefined || typeof value !== "string") return [number, value] as const;
    return [number, field.content === "n" ? value.padStart(field.lengthMax, "0") : value.replace(/ +$/, "")] as const;
  });
  return { mti: message.mti, fields: new Map(fields) };
}

/** Comparable: secrets as text, fields in the order of their numbers. */
export function plain({ mti, fields }: IsoMessage): unknown {
  const open = (value: FieldValue) => {
    if (typeof value === "string") return value;
    return `${value instanceof Secret ? "secret " : ""}${Buffer.from(value instanceof Secret ? value.expose() : value).toString("hex")}`;
  };
  return { mti, fields: [...fields].toSorted(([a], [b]) => a - b).map(([number, value]) => `${number}: ${open(value)}`) };
}
