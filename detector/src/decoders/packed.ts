/**
 * Packed bytes, where their magic says so: gzip (RFC 1952), zlib (RFC 1950), zstd (RFC 8878), members of zip files. Brotli has no magic: only a
 * file's name can tell (scan/).
 *
 * Unpacking is what a hostile input would make expensive: the number of tries and the size of what comes out are bounded, and what is beyond the
 * bound, or encrypted, is told as unread. Bytes that only look like a magic fail and are nothing.
 */
import { constants, inflateRawSync, inflateSync, zstdDecompressSync } from "node:zlib";
import type { Encoding, OnDecoded, OnUnread } from "./decoder.ts";

export type Unpacking = {
  /** Tries left, for this input and everything inside it. Counted down here. */
  triesLeft: number;
  /** Bytes that may come out of one. */
  readonly unpackedMax: number;
};

type Magic = {
  readonly encoding: Encoding;
  /** The length of the head when the bytes at `index` may be this; -1 when not. */
  readonly headSize: (bytes: Uint8Array, index: number) => number;
  readonly unpack: (packed: Uint8Array, maxOutputLength: number) => Uint8Array;
};

/** What is cut off at the end gives what is there. */
const partly = { finishFlush: constants.Z_SYNC_FLUSH } as const;
const stored = 0;
const deflated = 8;
const zipHeadSize = 30;
/** The name of a file and a comment within a gzip head (bytes). */
const gzipNameMax = 4_096;

const gzip: Magic = {
  encoding: "gzip",
  headSize: gzipHeadSize,
  // Not gunzip: it takes what follows for another member, and fails.
  unpack: (packed, maxOutputLength) => inflateRawSync(packed, { ...partly, maxOutputLength }),
};
const zlib: Magic = {
  encoding: "zlib",
  headSize: (bytes, index) => {
    const flags = bytes[index + 1] ?? 0;
    // No preset dictionary, and the header's own check (RFC 1950 section 2.2).
    return (flags & 0x20) === 0 && (0x7800 + flags) % 31 === 0 && isBlock(bytes[index + 2]) ? 0 : -1;
  },
  unpack: (packed, maxOutputLength) => inflateSync(packed, { ...partly, maxOutputLength }),
};
const zstd: Magic = {
  encoding: "zstd",
  headSize: (bytes, index) => (bytes[index + 1] === 0xb5 && bytes[index + 2] === 0x2f && bytes[index + 3] === 0xfd ? 0 : -1),
  unpack: (packed, maxOutputLength) => zstdDecompressSync(packed, { finishFlush: constants.ZSTD_e_flush, maxOutputLength }),
};
const zip: Magic = {
  encoding: "zip",
  headSize: (bytes, index) => {
    if (bytes[index + 1] !== 0x4b || bytes[index + 2] !== 3 || bytes[index + 3] !== 4) return -1;
    const method = uint16(bytes, index + 8);
    // What is only stored stands in the file as it is.
    if (method === stored) return -1;
    return zipHeadSize + uint16(bytes, index + 26) + uint16(bytes, index + 28);
  },
  unpack: (packed, maxOutputLength) => inflateRawSync(packed, { ...partly, maxOutputLength }),
};
const magics: Readonly<Record<number, Magic>> = { 31: gzip, 120: zlib, 40: zstd, 80: zip };

/** RFC 1952 section 2.3: ten bytes, then an extra field, a name, a comment and a check, each when its flag is set. */
function gzipHeadSize(bytes: Uint8Array, index: number): number {
  const flags = bytes[index + 3] ?? 255;
  if (bytes[index + 1] !== 0x8b || bytes[index + 2] !== deflated || (flags & 0xe0) !== 0) return -1;
  let end = index + 10;
  if ((flags & 4) !== 0) end += 2 + uint16(bytes, end);
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const zero = bytes.subarray(0, end + gzipNameMax).indexOf(0, end);
    if (zero === -1) return -1;
    end = zero + 1;
  }
  return end + ((flags & 2) === 0 ? 0 : 2) - index;
}

/** The first block of deflate is of one of three types; the fourth is reserved. */
function isBlock(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 6) !== 6;
}

function uint16(bytes: Uint8Array, index: number): number {
  return (bytes[index] ?? 0) | ((bytes[index + 1] ?? 0) << 8);
}

export function mayBeMagic(bytes: Uint8Array, index: number): boolean {
  return (magics[bytes[index] as number]?.headSize(bytes, index) ?? -1) !== -1;
}

export function decodePacked(bytes: Uint8Array, unpacking: Unpacking, onDecoded: OnDecoded, onUnread: OnUnread): void {
  for (let index = 0; index < bytes.length; index++) {
    const magic = magics[bytes[index] as number];
    const headSize = magic?.headSize(bytes, index) ?? -1;
    if (magic === undefined || headSize === -1) continue;
    if (unpacking.triesLeft === 0) {
      onUnread(index, "more packed parts than are unpacked");
      return;
    }
    const refused = magic.encoding === "zip" ? refusedZip(bytes, index) : undefined;
    if (refused !== undefined) {
      onUnread(index, refused);
      continue;
    }
    unpacking.triesLeft -= 1;
    const place = index;
    const unpacked = tryToUnpack(magic, bytes.subarray(index + headSize), unpacking.unpackedMax, (why) => onUnread(place, why));
    if (unpacked !== undefined && unpacked.length > 0) onDecoded(unpacked, magic.encoding, () => place);
  }
}

function refusedZip(bytes: Uint8Array, index: number): string | undefined {
  if ((uint16(bytes, index + 6) & 1) === 1) return "an encrypted member of a zip file";
  return uint16(bytes, index + 8) === deflated ? undefined : "a member of a zip file that is packed in an unknown way";
}

function tryToUnpack(magic: Magic, packed: Uint8Array, unpackedMax: number, onUnread: (why: string) => void): Uint8Array | undefined {
  try {
    return magic.unpack(packed, unpackedMax);
  } catch (thrown) {
    if (thrown instanceof RangeError) onUnread(`a packed part larger than ${unpackedMax} bytes`);
    // Anything else: not packed bytes after all, or damaged ones, of which nobody can read a number.
    return undefined;
  }
}
