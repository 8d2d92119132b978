/**
 * Encodes messages that hold secrets, so that what is left of them in memory can be wiped.
 *
 * A field is secret when its proto says `debug_redact`; it has to be a plain bytes field, because a string cannot be wiped. The library
 * writes into buffers that nobody else gets to see, so it never sees a secret: it encodes the rest of the message, and the secret fields are
 * written behind it here, which protobuf allows, into memory of our own. The message's own secret bytes are wiped at once.
 */
import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { assert, makeSecretBytes } from "@florin/kernel";
import { type BodyEncoder, createBatchEncoder } from "./batch-encoder.ts";

const lengthDelimited = 2;
/** Lengths up to here are one byte, and so are tags of fields up to 15. Card numbers and codes are far below. */
const secretBytesMax = 127;
const fieldNumberMax = 15;
const empty = new Uint8Array(0);

type Fields = Record<string, unknown>;
type SecretField = { readonly name: string; readonly tag: number };
type Secrets = readonly { readonly tag: number; readonly bytes: Uint8Array }[];

/** Undefined when no field of `schema` is secret. A message loses its secrets to its body; whoever gets the body wipes it. */
export function createSecretEncoder(schema: DescMessage): BodyEncoder<Message> | undefined {
  const fields = schema.fields.filter((field) => field.proto.options?.debugRedact === true).map((field) => secretField(schema, field));
  if (fields.length === 0) return undefined;
  const rest = createBatchEncoder(schema);
  return {
    encodeAll(messages) {
      const secrets = messages.map((message) => takeSecrets(message, fields));
      const bodies = joined(rest.encodeAll(messages), secrets);
      wipeAll(secrets);
      return bodies;
    },
    wipe: (message) => wipeAll([takeSecrets(message, fields)]),
  };
}

function secretField(schema: DescMessage, field: DescField): SecretField {
  assert(
    field.fieldKind === "scalar" && field.scalar === ScalarType.BYTES && field.number <= fieldNumberMax,
    `${schema.typeName}.${field.name}: a secret field is singular, of type bytes, and its number is at most ${fieldNumberMax}`,
  );
  return { name: field.localName, tag: (field.number << 3) | lengthDelimited };
}

/** The secrets that are there; the message has none afterwards. */
function takeSecrets(message: Message, fields: readonly SecretField[]): Secrets {
  const values = message as unknown as Fields;
  const taken: { tag: number; bytes: Uint8Array }[] = [];
  for (const { name, tag } of fields) {
    const bytes = values[name];
    assert(bytes instanceof Uint8Array, `${name} is bytes`);
    if (bytes.length > 0) taken.push({ tag, bytes });
    values[name] = empty;
  }
  return taken;
}

function wipeAll(secrets: readonly Secrets[]): void {
  for (const own of secrets) for (const { bytes } of own) bytes.fill(0);
}

/** Each rest with its secrets behind it. One piece of memory for all of them, because a piece for each costs more than the rest of the work. */
function joined(rests: readonly (Uint8Array | Error)[], secrets: readonly Secrets[]): readonly (Uint8Array | Error)[] {
  const sizes = rests.map((rest, index) => (rest instanceof Error ? 0 : rest.length + sizeOf(secrets[index] ?? [])));
  const slab = makeSecretBytes(sizes.reduce((total, size) => total + size, 0));
  let end = 0;
  return rests.map((rest, index) => {
    const own = secrets[index] ?? [];
    if (rest instanceof Error) return rest;
    const start = end;
    end += sizes[index] ?? 0;
    if (own.some(({ bytes }) => bytes.length > secretBytesMax)) return new Error(`a secret field is longer than ${secretBytesMax} bytes`);
    slab.set(rest, start);
    let at = start + rest.length;
    for (const { tag, bytes } of own) {
      slab[at++] = tag;
      slab[at++] = bytes.length;
      slab.set(bytes, at);
      at += bytes.length;
    }
    return slab.subarray(start, end);
  });
}

function sizeOf(secrets: Secrets): number {
  return secrets.reduce((total, { bytes }) => total + 2 + bytes.length, 0);
}
