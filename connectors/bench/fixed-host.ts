/**
 * A host of ISO 8583 that approves everything after 20 ms and keeps no books: what it costs is not what is measured. Prints its port.
 *
 * `node fixed-host.ts [key of the retail MAC in hexadecimal digits]`. Dialect and framing are simiso's.
 */
import { type AddressInfo, createServer } from "node:net";
import { Secret } from "@florin/kernel";
import { decodeMessage } from "../src/iso8583/codec/decode.ts";
import { makeDialect } from "../src/iso8583/codec/dialect.ts";
import { asciiBinary1987 } from "../src/iso8583/codec/dialects.ts";
import { encodeMessage } from "../src/iso8583/codec/encode.ts";
import type { FieldValue } from "../src/iso8583/codec/message.ts";
import { framings, headerBytes, writeHeader } from "../src/iso8583/framing/framing.ts";
import { createSplitter } from "../src/iso8583/framing/splitter.ts";
import { replyTypeOf } from "../src/iso8583/link/network-messages.ts";
import { encodeSealed, softwareMac } from "../src/iso8583/mac/seal.ts";

const latencyMs = 20;
const messageBytesMax = 2_048;
const repeated = [3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70];
const dialect = makeDialect(asciiBinary1987);
const keyHex = process.argv[2];
const makeMac = keyHex === undefined ? undefined : softwareMac("x9.19", new Secret(Buffer.from(keyHex, "hex")));

async function replyTo(bytes: Uint8Array): Promise<Buffer> {
  const decoded = decodeMessage(dialect, bytes);
  if (decoded.kind === "refused") throw new Error(decoded.fault.reason);
  const { mti, fields } = decoded.message;
  const own = new Map<number, FieldValue>([[39, "00"]]);
  for (const field of repeated) {
    const value = fields.get(field);
    if (value !== undefined) own.set(field, value);
  }
  if (mti !== "0800") own.set(38, "A1B2C3");
  const reply = { mti: replyTypeOf(mti), fields: own };
  const at = headerBytes(framings.binary);
  const frame = Buffer.alloc(at + messageBytesMax);
  const isSealed = makeMac !== undefined && mti !== "0800";
  const target = frame.subarray(at);
  const encoded = isSealed ? await encodeSealed(dialect, makeMac, reply, target) : encodeMessage(dialect, reply, target);
  if (encoded.kind !== "encoded") throw new Error(encoded.kind);
  writeHeader(framings.binary, encoded.length, frame);
  return frame.subarray(0, at + encoded.length);
}

const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  const splitter = createSplitter({ framing: framings.binary, messageBytesMax });
  socket.on("data", (chunk) => {
    const replies: Promise<Buffer>[] = [];
    splitter.push(chunk, (message) => replies.push(replyTo(Uint8Array.from(message))));
    setTimeout(() => void Promise.all(replies).then((frames) => socket.write(Buffer.concat(frames))), latencyMs);
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
// It ends with whoever started it, however that ends.
process.stdin.resume().once("end", () => process.exit());
