/**
 * Frames ↔ bytes, without an object per command: the hot end of florin.frames.v1.
 *
 * Writes and reads exactly the wire format of the generated ExchangeRequest and ExchangeResponse (codec.test.ts proves it both ways);
 * the primitives are protobuf-es's own. Writers are reused from frame to frame. Readers hand out bodies as views into the frame.
 * Not here: limits on counts (the sessions check them), message bodies (rpc encodes them).
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { type Fault, FaultSchema } from "@florin/gen/frames/v1/frames";
import { makeSecretBytes } from "@florin/kernel";

const varint = 0;
const lengthDelimited = 2;
const tag = (field: number, wireType: number) => (field << 3) | wireType;

const requestMethodsTag = tag(1, lengthDelimited);
const requestCommandsTag = tag(2, lengthDelimited);
const requestCancelsPackedTag = tag(3, lengthDelimited);
const requestCancelsTag = tag(3, varint);
const commandIdTag = tag(1, varint);
const commandMethodTag = tag(2, varint);
const commandTimeoutTag = tag(3, varint);
const commandTraceparentTag = tag(4, lengthDelimited);
const commandBodyTag = tag(5, lengthDelimited);
const responseAnswersTag = tag(1, lengthDelimited);
const answerIdTag = tag(1, varint);
const answerBodyTag = tag(2, lengthDelimited);
const answerFaultTag = tag(3, lengthDelimited);

/** Bytes that a uint32 takes as a varint. */
function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** A proto3 scalar field with its tag; zero is not written. */
function scalarSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

function bytesSize(length: number): number {
  return length === 0 ? 0 : 1 + varintSize(length) + length;
}

/** Builds one frame of commands and cancellations after the other. */
export class RequestFrameWriter {
  readonly #writer = new BinaryWriter();
  #cancels: number[] = [];
  /** Commands in the frame so far. */
  commandCount = 0;
  /** Method names in the frame so far; the next one gets this index. */
  methodCount = 0;
  /** Bytes of the frame so far, cancellations not counted. */
  byteCount = 0;

  get isEmpty(): boolean {
    return this.commandCount === 0 && this.#cancels.length === 0;
  }

  addMethod(name: string): number {
    this.#writer.uint32(requestMethodsTag).string(name);
    this.byteCount += name.length + 2;
    this.methodCount += 1;
    return this.methodCount - 1;
  }

  /** `traceparent` is ASCII (the caller checks), "" when there is none. */
  addCommand(id: number, method: number, timeoutMs: number, traceparent: string, body: Uint8Array): void {
    const size = scalarSize(id) + scalarSize(method) + scalarSize(timeoutMs) + bytesSize(traceparent.length) + bytesSize(body.length);
    const writer = this.#writer.uint32(requestCommandsTag).uint32(size);
    if (id !== 0) writer.uint32(commandIdTag).uint32(id);
    if (method !== 0) writer.uint32(commandMethodTag).uint32(method);
    if (timeoutMs !== 0) writer.uint32(commandTimeoutTag).uint32(timeoutMs);
    if (traceparent !== "") writer.uint32(commandTraceparentTag).string(traceparent);
    if (body.length !== 0) writer.uint32(commandBodyTag).bytes(body);
    this.commandCount += 1;
    this.byteCount += size + 4;
  }

  addCancel(id: number): void {
    this.#cancels.push(id);
  }

  /** The bytes of the frame; the writer is empty again. */
  take(): Buffer {
    if (this.#cancels.length > 0) {
      this.#writer.uint32(requestCancelsPackedTag).fork();
      for (const id of this.#cancels) this.#writer.uint32(id);
      this.#writer.join();
      this.#cancels = [];
    }
    this.commandCount = 0;
    this.methodCount = 0;
    this.byteCount = 0;
    return asBuffer(this.#writer.finish());
  }
}

type SecretAnswer = { readonly id: number; readonly body: Uint8Array; readonly size: number };

/** Secret bodies are in `bytes` only and can be wiped there. */
export type ResponseFrame = { readonly bytes: Buffer; readonly isSecret: boolean };

/** Builds one frame of answers after the other. */
export class ResponseFrameWriter {
  readonly #writer = new BinaryWriter();
  /** Answers that never go through a buffer of the library. */
  #secrets: SecretAnswer[] = [];
  answerCount = 0;
  byteCount = 0;

  addBody(id: number, body: Uint8Array): void {
    const size = scalarSize(id) + bytesSize(body.length);
    const writer = this.#writer.uint32(responseAnswersTag).uint32(size);
    if (id !== 0) writer.uint32(answerIdTag).uint32(id);
    if (body.length !== 0) writer.uint32(answerBodyTag).bytes(body);
    this.#added(size);
  }

  /** Takes `body` over and wipes it when the frame is made. */
  addSecretBody(id: number, body: Uint8Array): void {
    const size = scalarSize(id) + bytesSize(body.length);
    this.#secrets.push({ id, body, size });
    this.#added(size);
  }

  addFault(id: number, fault: Fault): void {
    const bytes = toBinary(FaultSchema, fault);
    const size = scalarSize(id) + 1 + varintSize(bytes.length) + bytes.length;
    const writer = this.#writer.uint32(responseAnswersTag).uint32(size);
    if (id !== 0) writer.uint32(answerIdTag).uint32(id);
    // A message field is present even when it is empty.
    writer.uint32(answerFaultTag).bytes(bytes);
    this.#added(size);
  }

  take(): ResponseFrame {
    this.answerCount = 0;
    this.byteCount = 0;
    const plain = this.#writer.finish();
    const secrets = this.#secrets;
    if (secrets.length === 0) return { bytes: asBuffer(plain), isSecret: false };
    this.#secrets = [];
    const bytes = makeSecretBytes(secrets.reduce((total, { size }) => total + 1 + varintSize(size) + size, plain.length));
    bytes.set(plain);
    let at = plain.length;
    for (const secret of secrets) at = writeSecret(bytes, at, secret);
    return { bytes: asBuffer(bytes), isSecret: true };
  }

  #added(size: number): void {
    this.answerCount += 1;
    this.byteCount += size + 4;
  }
}

/** Writes an answer at `start`, wipes its body, and returns where the next one begins. */
function writeSecret(bytes: Uint8Array, start: number, { id, body, size }: SecretAnswer): number {
  bytes[start] = responseAnswersTag;
  let at = writeVarint(bytes, start + 1, size);
  if (id !== 0) {
    bytes[at] = answerIdTag;
    at = writeVarint(bytes, at + 1, id);
  }
  if (body.length !== 0) {
    bytes[at] = answerBodyTag;
    at = writeVarint(bytes, at + 1, body.length);
  }
  bytes.set(body, at);
  body.fill(0);
  return at + body.length;
}

function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let left = value;
  for (; left >= 0x80; left >>>= 7) bytes[at++] = (left & 0x7f) | 0x80;
  bytes[at++] = left;
  return at;
}

/** A frame of commands as parallel columns; index i of each is one command. */
export type RequestFrame = {
  readonly methods: string[];
  readonly ids: number[];
  readonly methodIndexes: number[];
  readonly timeoutsMs: number[];
  readonly traceparents: string[];
  readonly bodies: Uint8Array[];
  readonly cancels: number[];
};

/** The bytes of a received message. Not a Buffer: its `slice` would be a view where everyone expects a copy. */
export function bytesOf(message: Buffer): Uint8Array {
  return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
}

const emptyBody = new Uint8Array(0);

/** Reads a frame of commands. Throws a RangeError or Error on malformed bytes. Unknown fields are skipped. */
export function readRequestFrame(bytes: Uint8Array): RequestFrame {
  const frame: RequestFrame = { methods: [], ids: [], methodIndexes: [], timeoutsMs: [], traceparents: [], bodies: [], cancels: [] };
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const key = reader.uint32();
    if (key === requestCommandsTag) readCommand(reader, frame);
    else if (key === requestMethodsTag) frame.methods.push(reader.string());
    else if (key === requestCancelsTag) frame.cancels.push(reader.uint32());
    else if (key === requestCancelsPackedTag) readPacked(reader, frame.cancels);
    else reader.skip(key & 7, key >>> 3);
  }
  return frame;
}

function readPacked(reader: BinaryReader, target: number[]): void {
  const end = endOf(reader);
  while (reader.pos < end) target.push(reader.uint32());
}

function readCommand(reader: BinaryReader, frame: RequestFrame): void {
  const end = endOf(reader);
  let id = 0;
  let method = 0;
  let timeoutMs = 0;
  let traceparent = "";
  let body: Uint8Array = emptyBody;
  while (reader.pos < end) {
    const key = reader.uint32();
    if (key === commandIdTag) id = reader.uint32();
    else if (key === commandMethodTag) method = reader.uint32();
    else if (key === commandTimeoutTag) timeoutMs = reader.uint32();
    else if (key === commandBodyTag) body = reader.bytes();
    else if (key === commandTraceparentTag) traceparent = reader.string();
    else reader.skip(key & 7, key >>> 3);
  }
  if (reader.pos !== end) throw new RangeError("a field runs over the end of its command");
  frame.ids.push(id);
  frame.methodIndexes.push(method);
  frame.timeoutsMs.push(timeoutMs);
  frame.traceparents.push(traceparent);
  frame.bodies.push(body);
}

/** Reads a frame of answers, one call of `onAnswer` per answer in order. Throws on malformed bytes. */
export function readResponseFrame(bytes: Uint8Array, onAnswer: (id: number, body: Uint8Array, fault: Fault | undefined) => void): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const key = reader.uint32();
    if (key !== responseAnswersTag) {
      reader.skip(key & 7, key >>> 3);
      continue;
    }
    const end = endOf(reader);
    let id = 0;
    let body: Uint8Array = emptyBody;
    let fault: Fault | undefined;
    while (reader.pos < end) {
      const field = reader.uint32();
      if (field === answerIdTag) id = reader.uint32();
      else if (field === answerBodyTag) body = reader.bytes();
      else if (field === answerFaultTag) fault = fromBinary(FaultSchema, reader.bytes());
      else reader.skip(field & 7, field >>> 3);
    }
    if (reader.pos !== end) throw new RangeError("a field runs over the end of its answer");
    onAnswer(id, body, fault);
  }
}

function endOf(reader: BinaryReader): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError("premature end of frame");
  return end;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
