/**
 * How the characters or bytes of a field lie on the wire. A packing knows bytes and codes, no fields and no lengths of fields.
 */
import type { CharacterSet } from "./character-set.ts";
import type { FaultReason } from "./fault.ts";

export type Packing = {
  /** Bytes on the wire of `count` characters (or bytes of binary data). */
  wireBytes(count: number): number;
  /** Writes `count` codes of the field's content at `at`; there is room. */
  pack(codes: Uint8Array, count: number, wire: Uint8Array, at: number): void;
  /** Reads `count` codes from `at`; they are there. What cannot be read is left half done, and the caller names the field. */
  unpack(wire: Uint8Array, at: number, count: number, codes: Uint8Array): FaultReason | undefined;
};

export type OddDigits = {
  /** Where the unused half byte stands. */
  readonly side: "left" | "right";
  /** What it holds: 0 to 15. */
  readonly nibble: number;
};

/** One byte per character. */
export function characters({ toWire, toAscii }: CharacterSet): Packing {
  return {
    wireBytes: (count) => count,
    pack(codes, count, wire, at) {
      for (let index = 0; index < count; index++) wire[at + index] = toWire[codes[index] as number] as number;
    },
    unpack(wire, at, count, codes) {
      for (let index = 0; index < count; index++) {
        const code = toAscii[wire[at + index] as number] as number;
        if (code === 0) return "bad_character";
        codes[index] = code;
      }
      return undefined;
    },
  };
}

const zero = 0x30;
/** `=` of a track is the half byte 13. */
const separatorCode = 0x3d;
const separatorNibble = 0xd;

/** Two digits per byte. */
export function packedDigits({ side, nibble }: OddDigits): Packing {
  const nibbleOf = (code: number) => (code === separatorCode ? separatorNibble : code - zero);
  const codeOf = (half: number) => (half <= 9 ? half + zero : half === separatorNibble ? separatorCode : 0);
  return {
    wireBytes: (count) => (count + 1) >> 1,
    pack(codes, count, wire, at) {
      // The half byte at which the first digit stands.
      let half = (count & 1) === 1 && side === "left" ? 1 : 0;
      if (half === 1) wire[at] = nibble << 4;
      for (let index = 0; index < count; index++, half++) {
        const value = nibbleOf(codes[index] as number);
        if ((half & 1) === 0) wire[at + (half >> 1)] = value << 4;
        else wire[at + (half >> 1)] = (wire[at + (half >> 1)] as number) | value;
      }
      if ((half & 1) === 1) wire[at + (half >> 1)] = (wire[at + (half >> 1)] as number) | nibble;
      return undefined;
    },
    unpack(wire, at, count, codes) {
      const isOdd = (count & 1) === 1;
      let half = 0;
      if (isOdd && side === "left") {
        if ((wire[at] as number) >> 4 !== nibble) return "bad_padding";
        half = 1;
      }
      for (let index = 0; index < count; index++, half++) {
        const byte = wire[at + (half >> 1)] as number;
        const code = codeOf((half & 1) === 0 ? byte >> 4 : byte & 0xf);
        if (code === 0) return "bad_character";
        codes[index] = code;
      }
      return isOdd && side === "right" && ((wire[at + (half >> 1)] as number) & 0xf) !== nibble ? "bad_padding" : undefined;
    },
  };
}

/** Bytes as they are. */
export const rawBytes: Packing = {
  wireBytes: (count) => count,
  pack(bytes, count, wire, at) {
    for (let index = 0; index < count; index++) wire[at + index] = bytes[index] as number;
  },
  unpack(wire, at, count, bytes) {
    for (let index = 0; index < count; index++) bytes[index] = wire[at + index] as number;
    return undefined;
  },
};

const hexDigits = Buffer.from("0123456789ABCDEF", "latin1");

/** Two hexadecimal digits per byte, written in capitals and read in any case. */
export function hexBytes({ toWire, toAscii }: CharacterSet): Packing {
  const digitValue = (byte: number) => {
    const code = toAscii[byte] as number;
    if (code >= zero && code <= zero + 9) return code - zero;
    const capital = code & ~0x20;
    return capital >= 0x41 && capital <= 0x46 ? capital - 0x41 + 10 : -1;
  };
  return {
    wireBytes: (count) => 2 * count,
    pack(bytes, count, wire, at) {
      for (let index = 0; index < count; index++) {
        const byte = bytes[index] as number;
        wire[at + 2 * index] = toWire[hexDigits[byte >> 4] as number] as number;
        wire[at + 2 * index + 1] = toWire[hexDigits[byte & 0xf] as number] as number;
      }
    },
    unpack(wire, at, count, bytes) {
      for (let index = 0; index < count; index++) {
        const high = digitValue(wire[at + 2 * index] as number);
        const low = digitValue(wire[at + 2 * index + 1] as number);
        if (high < 0 || low < 0) return "bad_character";
        bytes[index] = (high << 4) | low;
      }
      return undefined;
    },
  };
}

/** A sign in one character, then the amount in `digits`. */
export function signedAmount(sign: Packing, digits: Packing): Packing {
  const rest = (codes: Uint8Array, count: number) => codes.subarray(1, count);
  return {
    wireBytes: (count) => 1 + digits.wireBytes(count - 1),
    pack(codes, count, wire, at) {
      sign.pack(codes, 1, wire, at);
      digits.pack(rest(codes, count), count - 1, wire, at + 1);
    },
    unpack: (wire, at, count, codes) => sign.unpack(wire, at, 1, codes) ?? digits.unpack(wire, at + 1, count - 1, rest(codes, count)),
  };
}
