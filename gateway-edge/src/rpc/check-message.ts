/**
 * The body of a Connect or gRPC-Web call, held to what REST holds its bodies to, before the library reads it.
 *
 * A reader of Protobuf lets much pass so that old and new can talk: fields it does not know, enum numbers without a name, integers written as
 * "0x3e8" or 1e3. In a request about money each of them may be a mistake that costs something, so here each is refused, with code and field.
 * Paths are spelled as in the contract ("payment_method.token").
 */
import { type DescField, type DescMessage, fromBinary, fromJson, type JsonValue, type Message, ScalarType } from "@bufbuild/protobuf";
import { type AppError, invalid } from "@florin/kernel";
import { readStrictJson } from "../app/strict-body.ts";
import { isAmountPath } from "../domain/json-fault.ts";
import { amountSentence } from "../domain/payment-rules.ts";

/** What the edge reads: Connect's unary calls and gRPC-Web, binary or JSON. Streams and base64 are not among them. */
const contentTypeForm = /^application\/(grpc-web(?:\+(?=json|proto))?)?(json|proto)?(?:; ?charset=utf-?8)?$/i;

export type MessageForm = { readonly isFramed: boolean; readonly isJson: boolean };

/** Undefined for what is no call at all. */
export function messageFormOf(contentType: string | undefined): MessageForm | undefined {
  const match = contentTypeForm.exec(contentType ?? "");
  if (match === null || (match[1] === undefined && match[2] === undefined)) return undefined;
  return { isFramed: match[1] !== undefined, isJson: match[2]?.toLowerCase() === "json" };
}

/** Throws AppError (not_done) for a body that is not exactly one message of this type. */
export function checkMessage(desc: DescMessage, form: MessageForm, body: Buffer): void {
  const bytes = form.isFramed ? unframe(body) : body;
  const message = form.isJson ? readJson(desc, bytes) : readBinary(desc, bytes);
  refuse(problemOfMessage(desc, message, ""));
}

const frameHeadBytes = 5;

/** The one message in a gRPC-Web body: flags, length, bytes. */
function unframe(body: Buffer): Buffer {
  if (body.length < frameHeadBytes || body.readUInt32BE(1) !== body.length - frameHeadBytes)
    throw invalid("parameter_invalid", "the body must be one gRPC-Web frame");
  if (body[0] !== 0) throw invalid("invalid_content_type", "the message must not be compressed");
  return body.subarray(frameHeadBytes);
}

function readBinary(desc: DescMessage, bytes: Buffer): Message {
  try {
    return fromBinary(desc, bytes);
  } catch {
    // The library's words may repeat what was sent.
    throw invalid("parameter_invalid", `the body is not a ${desc.name}`);
  }
}

function readJson(desc: DescMessage, bytes: Buffer): Message {
  const value = readStrictJson(bytes);
  if (!isObject(value)) throw invalid("parameter_invalid", `the body must be a JSON object: a ${desc.name}`);
  refuse(problemOfJson(desc, value, ""));
  try {
    return fromJson(desc, value as JsonValue, { ignoreUnknownFields: false });
  } catch (thrown) {
    const field = thrown instanceof Error ? fieldOf(thrown.cause) : undefined;
    throw field === undefined ? invalid("parameter_invalid", `the body is not a ${desc.name}`) : problemOfField(pathOf(desc, field));
  }
}

/** What the library would read in a way that the sender may not mean. */
function problemOfJson(desc: DescMessage, value: Readonly<Record<string, unknown>>, parent: string): AppError | undefined {
  const seen = new Set<string>();
  for (const [key, one] of Object.entries(value)) {
    const field = desc.fields.find(({ jsonName, name }) => jsonName === key || name === key);
    const path = join(parent, field?.name ?? key);
    if (field === undefined) return invalid("parameter_unknown", `${path} is not a known field`, path);
    if (seen.has(field.name)) return invalid("invalid_json", "a key occurs twice in one object", path);
    seen.add(field.name);
    // In Protobuf's JSON null is the default, in ours it would be "all of it" for an amount.
    if (one === null) return problemOfField(path);
    if (isWideInteger(field) && typeof one === "string" && !/^(0|-?[1-9][0-9]*)$/.test(one)) return problemOfField(path);
    if (field.fieldKind === "enum" && typeof one === "string" && field.enum.values.every(({ name }) => name !== one))
      return problemOfField(path);
    if (field.fieldKind === "message" && isObject(one)) {
      const inside = problemOfJson(field.message, one, path);
      if (inside !== undefined) return inside;
    }
  }
  return undefined;
}

/** Fields and enum numbers of another release, or of a mistake. */
function problemOfMessage(desc: DescMessage, message: Message, parent: string): AppError | undefined {
  const [unknown] = message.$unknown ?? [];
  if (unknown !== undefined) {
    const path = join(parent, `#${unknown.no}`);
    return invalid("parameter_unknown", `${path} is not a known field of ${desc.name}`, path);
  }
  const values = message as unknown as Readonly<Record<string, unknown>>;
  for (const field of desc.fields) {
    const path = join(parent, field.name);
    const value = values[field.localName];
    if (field.fieldKind === "enum" && field.enum.values.every(({ number }) => number !== value)) return problemOfField(path);
    if (field.fieldKind === "message" && value !== undefined) {
      const inside = problemOfMessage(field.message, value as Message, path);
      if (inside !== undefined) return inside;
    }
  }
  return undefined;
}

function problemOfField(path: string): AppError {
  if (isAmountPath(path)) return invalid("amount_invalid", amountSentence, path);
  return invalid("parameter_invalid", `${path} is not in the allowed form`, path);
}

/** The field that the library's complaint is about. */
function fieldOf(cause: unknown): DescField | undefined {
  if (typeof cause !== "object" || cause === null || !("field" in cause) || typeof cause.field !== "function") return undefined;
  return cause.field() as DescField;
}

/** Requests are two messages deep, so a field is the request's own or that of one of its messages. */
function pathOf(desc: DescMessage, field: DescField): string {
  if (field.parent === desc) return field.name;
  const owner = desc.fields.find((one) => one.fieldKind === "message" && one.message === field.parent);
  return join(owner?.name ?? "", field.name);
}

/** JSON writes them as text, because a number of JavaScript cannot hold them. */
function isWideInteger(field: DescField): boolean {
  return field.fieldKind === "scalar" && (field.scalar === ScalarType.INT64 || field.scalar === ScalarType.UINT64);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}.${name}`;
}

function refuse(problem: AppError | undefined): void {
  if (problem !== undefined) throw problem;
}
