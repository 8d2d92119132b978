/**
 * A processor's language on the wire: messages to frames and back, with the codes that it wants.
 *
 * What was secret in a message is wiped when it is in the bytes, and the bytes when their frame is released.
 */
import { assert } from "@florin/kernel";
import { giveBack, takeBuffer } from "../../http1/request-buffer.ts";
import { type Decoded, decodeMessage } from "../codec/decode.ts";
import type { Dialect } from "../codec/dialect.ts";
import { type Encoded, encodeMessage } from "../codec/encode.ts";
import { describeFault } from "../codec/fault.ts";
import { type IsoMessage, wipeMessage } from "../codec/message.ts";
import { type Framing, headerBytes, writeHeader } from "../framing/framing.ts";
import { checkMac, encodeSealed, type MakeMac } from "../mac/seal.ts";

export type WireProfile = {
  readonly dialect: Dialect;
  readonly framing: Framing;
  readonly messageBytesMax: number;
  /** `classes`: second digits of the message types that carry a code. */
  readonly mac: { readonly makeMac: MakeMac; readonly classes: string } | undefined;
};

/** A message with its header. `release` wipes the bytes and takes them back: once, when nobody reads them any more. */
export type Frame = { readonly bytes: Buffer; release(): void };

export type LinkFrames = {
  /** Whether a message of this type carries a code. */
  isSealed(message: IsoMessage): boolean;
  /** Makes a frame without a code and wipes the message. Throws when it does not fit the dialect: a bug of whoever made it. */
  pack(message: IsoMessage): Frame;
  /** The same with a code. Undefined: there is none to be had. */
  seal(message: IsoMessage): Promise<Frame | undefined>;
  unpack(bytes: Uint8Array): Decoded;
  /** Whether the code of `message`, decoded from `bytes`, is right. The bytes may be overwritten as soon as this returns. */
  hasRightCode(bytes: Uint8Array, message: IsoMessage): Promise<boolean>;
};

const bufferBytes = 4_096;

export function createLinkFrames({ dialect, framing, messageBytesMax, mac }: WireProfile): LinkFrames {
  const at = headerBytes(framing);
  assert(at + messageBytesMax <= bufferBytes, "a message and its header fit a buffer");
  const frameOf = (buffer: Buffer, encoded: Encoded): Frame => {
    if (encoded.kind === "refused") throw new Error(describeFault(encoded.fault));
    writeHeader(framing, encoded.length, buffer);
    const used = at + encoded.length;
    return { bytes: buffer.subarray(0, used), release: () => giveBack(buffer, used) };
  };
  return {
    isSealed: ({ mti }) => mac?.classes.includes(mti.charAt(1)) === true,
    pack(message) {
      const buffer = takeBuffer(bufferBytes);
      try {
        return frameOf(buffer, encodeMessage(dialect, message, buffer.subarray(at)));
      } catch (bug) {
        giveBack(buffer, buffer.length);
        throw bug;
      } finally {
        wipeMessage(message);
      }
    },
    async seal(message) {
      assert(mac !== undefined, "a message that is sealed has a code");
      const buffer = takeBuffer(bufferBytes);
      try {
        const sealed = await encodeSealed(dialect, mac.makeMac, message, buffer.subarray(at));
        if (sealed.kind !== "no_code") return frameOf(buffer, sealed);
        giveBack(buffer, buffer.length);
        return undefined;
      } catch (bug) {
        giveBack(buffer, buffer.length);
        throw bug;
      } finally {
        wipeMessage(message);
      }
    },
    unpack: (bytes) => decodeMessage(dialect, bytes),
    async hasRightCode(bytes, message) {
      assert(mac !== undefined, "a message that is checked has a code");
      const own = takeBuffer(bufferBytes);
      own.set(bytes);
      try {
        return (await checkMac(dialect, mac.makeMac, own.subarray(0, bytes.length), message)) === "right";
      } finally {
        giveBack(own, bytes.length);
      }
    },
  };
}

/** Where no length stands before a message: it ends where its last field does. */
export function measureWith(dialect: Dialect) {
  return (bytes: Uint8Array): number | "more" | "unreadable" => {
    const decoded = decodeMessage(dialect, bytes);
    if (decoded.kind === "decoded") {
      wipeMessage(decoded.message);
      return bytes.length;
    }
    const { part, position, reason } = decoded.fault;
    if (reason === "truncated") return "more";
    return part === "end" ? position : "unreadable";
  };
}
