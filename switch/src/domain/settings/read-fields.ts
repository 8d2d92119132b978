/** Reads single fields of a settings document. What is wrong goes to the findings with its path; the value is then undefined. */
import { amountMinorMax } from "@florin/kernel";
import type { LimitFields, Numbers } from "../limits/index.ts";
import type { CodeSet } from "../routing/processor-profile.ts";
import { type Findings, isFields, sayUnknownFields } from "../routing/rules/findings.ts";
import { codesMax } from "./bounds.ts";

export type Field = { readonly value: unknown; readonly path: string; readonly findings: Findings };

/** Whole number of `unit`, both bounds included. */
export function readInteger({ value, path, findings }: Field, o: { unit: string; min: number; max: number }): number | undefined {
  if (Number.isSafeInteger(value) && (value as number) >= o.min && (value as number) <= o.max) return value as number;
  return void findings.say(path, `must be a whole number of ${o.unit} from ${o.min} to ${o.max}`);
}

/** Absent is "any". */
export function readCodes({ value, path, findings }: Field, form: { fits: (code: string) => boolean; form: string }): CodeSet | undefined {
  if (value === undefined || value === "any") return "any";
  const isList = Array.isArray(value) && value.length > 0 && value.length <= codesMax;
  if (!isList || !value.every((code: unknown) => typeof code === "string" && form.fits(code)))
    return void findings.say(path, `must be any, or list 1 to ${codesMax} ${form.form}`);
  const codes: ReadonlySet<string> = new Set(value as readonly string[]);
  return codes.size === value.length ? codes : void findings.say(path, "must not name a code twice");
}

/** Minor units of a currency that stands in the path. */
export function readMinor(field: Field): bigint | undefined {
  const read = readInteger(field, { unit: "minor units", min: 0, max: Number(amountMinorMax) });
  return read === undefined ? undefined : BigInt(read);
}

/** An object whose fields are all known. `undefined` when it is none: then nothing below it is read. */
export function readObject({ value, path, findings }: Field, known: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  if (!isFields(value)) return void findings.say(path, "must be an object");
  sayUnknownFields(value, { known, path, findings });
  return value;
}

/** An object of whole numbers. Those that are absent or wrong are not in the answer. */
export function readNumbers<Fields extends LimitFields>(field: Field, known: Fields): Partial<Numbers<Fields>> {
  const value = field.value === undefined ? {} : (readObject(field, Object.keys(known)) ?? {});
  const named = Object.entries(known).filter(([name]) => value[name] !== undefined);
  const read = named.map(
    ([name, bounds]) => [name, readInteger({ ...field, value: value[name], path: `${field.path}.${name}` }, bounds)] as const,
  );
  return Object.fromEntries(read.filter(([, number]) => number !== undefined)) as Partial<Numbers<Fields>>;
}

/** Reads each entry of an object with free names. A name that does not fit is said at the object: names may be anything a person typed. */
export function readEntries<T>(
  { value, path, findings }: Field,
  o: {
    readonly fits: (name: string) => boolean;
    readonly form: string;
    readonly max: number;
    readonly read: (field: Field) => T | undefined;
  },
): ReadonlyMap<string, T> {
  const entries = new Map<string, T>();
  if (value === undefined) return entries;
  const names = isFields(value) ? Object.keys(value) : [];
  if (!isFields(value) || names.length > o.max) {
    findings.say(path, `must be an object of at most ${o.max} entries`);
    return entries;
  }
  if (!names.every(o.fits)) findings.say(path, `has a name that is none of ${o.form}`);
  for (const name of names.filter(o.fits)) {
    const read = o.read({ value: value[name], path: `${path}.${name}`, findings });
    if (read !== undefined) entries.set(name, read);
  }
  return entries;
}
