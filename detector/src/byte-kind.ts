/** What a byte of text is, by table: every pass over the bytes asks this for each of them. */
export const other = 0;
export const digit = 1;
export const letter = 2;

/** `digit`, `letter` (ASCII) or `other`. */
export const byteKind: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x30 && byte <= 0x39) return digit;
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) ? letter : other;
});

/** Value of a hex character; 255 for any other byte. */
export const hexValue: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 255 : value;
});

/** Undefined bytes (before the first, after the last) are `other`. */
export function kindAt(bytes: Uint8Array, index: number): number {
  return byteKind[bytes[index] ?? 0] as number;
}
