/**
 * Encodes many messages of one type at once, about five times cheaper than one by one.
 *
 * protobuf-es gives every `toBinary` a writer of its own, whose buffers (128 bytes, doubled until it fits, then copied) cost more than the
 * encoding: 3 µs for 300 bytes. So the messages of one turn are encoded as the elements of one repeated field, in one buffer, and each body
 * is a view into it. The encoding is the library's own; only the schema of the wrapper is made here.
 *
 * Invariant: the bytes of each body are those of `toBinary` (batch-encoder.test.ts). A message that cannot be encoded fails alone.
 */
import { create, createFileRegistry, type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { FieldDescriptorProto_Label, FieldDescriptorProto_Type, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { required } from "@florin/kernel";

/** Bodies in the order of the values; an Error where a value cannot be encoded. */
export interface BodyEncoder<T> {
  encodeAll(values: readonly T[]): readonly (Uint8Array | Error)[];
  /** Present when values hold secrets: overwrites those of a value that was not encoded. Whoever has a body wipes it, too. Safe to repeat. */
  readonly wipe?: (value: T) => void;
}

/** For values that are bytes already. */
export const asIsEncoder: BodyEncoder<Uint8Array> = { encodeAll: (bodies) => bodies };

/** One value that waits for its body. */
export type Unencoded<T> = { readonly value: T; readonly encoder: BodyEncoder<T> };

/** Encodes values of several types, each type at once; `onBody` is called once for every entry, in no particular order. */
export function encodeEach<T, E extends Unencoded<T>>(entries: readonly E[], onBody: (entry: E, body: Uint8Array | Error) => void): void {
  const groups = new Map<BodyEncoder<T>, E[]>();
  for (const entry of entries) {
    const group = groups.get(entry.encoder);
    if (group === undefined) groups.set(entry.encoder, [entry]);
    else group.push(entry);
  }
  for (const [encoder, group] of groups) {
    const bodies = encoder.encodeAll(group.map(({ value }) => value));
    for (const [index, entry] of group.entries()) onBody(entry, bodies[index] ?? new Error("a value was not encoded"));
  }
}

const wrapperName = "florin.runtime.bodies.v1.Bodies";

export function createBatchEncoder(schema: DescMessage): BodyEncoder<Message> {
  const wrapper = wrapperOf(schema);
  const bodiesField = required(wrapper.fields[0], "the wrapper's field");
  const encodeOne = (message: Message): Uint8Array | Error => {
    try {
      return toBinary(schema, message);
    } catch (error) {
      return error instanceof Error ? error : new Error("a message cannot be encoded");
    }
  };
  return {
    encodeAll(messages) {
      if (messages.length === 1) return messages.map(encodeOne);
      let slab: Uint8Array;
      try {
        slab = toBinary(wrapper, create(wrapper, { [bodiesField.localName]: messages }));
      } catch {
        return messages.map(encodeOne);
      }
      return split(slab, messages.length);
    },
  };
}

/** `message Bodies { repeated <schema> bodies = 1; }`, made at run time. */
function wrapperOf(schema: DescMessage): DescMessage {
  const file = create(FileDescriptorProtoSchema, {
    name: `florin/runtime/bodies/${schema.typeName}.proto`,
    package: "florin.runtime.bodies.v1",
    syntax: "proto3",
    dependency: [schema.file.proto.name],
    messageType: [
      {
        name: "Bodies",
        field: [
          {
            name: "bodies",
            number: 1,
            label: FieldDescriptorProto_Label.REPEATED,
            type: FieldDescriptorProto_Type.MESSAGE,
            typeName: `.${schema.typeName}`,
          },
        ],
      },
    ],
  });
  const registry = createFileRegistry(file, (name) => (name === schema.file.proto.name ? schema.file : undefined));
  return required(registry.getMessage(wrapperName), wrapperName);
}

function split(slab: Uint8Array, count: number): Uint8Array[] {
  const reader = new BinaryReader(slab);
  const bodies: Uint8Array[] = [];
  for (let index = 0; index < count; index += 1) {
    reader.uint32();
    bodies.push(reader.bytes());
  }
  return bodies;
}
