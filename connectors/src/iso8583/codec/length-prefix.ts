/** How the length of a variable field is written: as digits in characters or half bytes, or as a binary number. */
import { type Packing, packedDigits } from "./packing.ts";

export type LengthPrefix = {
  readonly wireBytes: number;
  write(length: number, wire: Uint8Array, at: number): void;
  /** -1 when it is no number. */
  read(wire: Uint8Array, at: number): number;
};

const zero = 0x30;
const scratch = new Uint8Array(4);

/** `digits` decimal digits, packed as the dialect packs characters. */
export function decimalPrefix(digits: 2 | 3, packing: Packing): LengthPrefix {
  return {
    wireBytes: packing.wireBytes(digits),
    write(length, wire, at) {
      let rest = length;
      for (let index = digits - 1; index >= 0; index--) {
        scratch[index] = zero + (rest % 10);
        rest = Math.floor(rest / 10);
      }
      packing.pack(scratch, digits, wire, at);
    },
    read(wire, at) {
      if (packing.unpack(wire, at, digits, scratch) !== undefined) return -1;
      let length = 0;
      for (let index = 0; index < digits; index++) {
        const digit = (scratch[index] as number) - zero;
        if (digit < 0 || digit > 9) return -1;
        length = length * 10 + digit;
      }
      return length;
    },
  };
}

/** Half bytes, right-aligned: `LL` in one byte, `LLL` in two. */
export const prefixHalfBytes: Packing = packedDigits({ side: "left", nibble: 0 });

/** One byte, or two with the higher first. */
export function binaryPrefix(bytes: 1 | 2): LengthPrefix {
  return {
    wireBytes: bytes,
    write(length, wire, at) {
      if (bytes === 2) wire[at] = length >> 8;
      wire[at + bytes - 1] = length & 0xff;
    },
    read: (wire, at) => (bytes === 1 ? (wire[at] as number) : ((wire[at] as number) << 8) | (wire[at + 1] as number)),
  };
}
