/**
 * The manners in which ISO 8583 is commonly spoken. A processor's own dialect is one of these with its exceptions.
 */
import type { DialectData, WireManner } from "./dialect.ts";
import { formats1987 } from "./formats-1987.ts";
import { formats1993 } from "./formats-1993.ts";

/** Card number, extended number, three tracks, and PIN block; DE 48 may carry a security code, DE 55 a card number among the chip's data. */
const secrets = [2, 34, 35, 36, 45, 48, 52, 55];

const zeroLeft = { side: "left", nibble: 0 } as const;
const zeroRight = { side: "right", nibble: 0 } as const;
const fillRight = { side: "right", nibble: 0xf } as const;

const inCharacters: Omit<WireManner, "characters"> = {
  digits: "characters",
  binary: "hex",
  prefix: "characters",
  hexPrefixCounts: "bytes",
  oddDigits: { fixed: zeroLeft, variable: zeroRight },
};

const inHalfBytes: Omit<WireManner, "characters"> = {
  digits: "packed",
  binary: "raw",
  prefix: "packed",
  hexPrefixCounts: "bytes",
  oddDigits: { fixed: zeroLeft, variable: zeroRight },
};

/** Everything in printable ASCII: bitmap, PIN block and MAC in hexadecimal. */
export const ascii1987: DialectData = {
  ...inCharacters,
  name: "ascii-1987",
  version: "1987",
  characters: "ascii",
  mti: "characters",
  bitmap: "hex",
  formats: formats1987,
  secrets,
};

/** ASCII with binary bitmap, PIN block and MAC. */
export const asciiBinary1987: DialectData = { ...ascii1987, name: "ascii-binary-1987", binary: "raw", bitmap: "raw" };

/** Digits and lengths in half bytes, text in ASCII, the rest binary. */
export const bcd1987: DialectData = {
  ...inHalfBytes,
  name: "bcd-1987",
  version: "1987",
  characters: "ascii",
  mti: "packed",
  bitmap: "raw",
  formats: formats1987,
  secrets,
};

/** As `bcd1987` with text in EBCDIC and odd numbers filled with F. */
export const bcdEbcdic1987: DialectData = {
  ...bcd1987,
  name: "bcd-ebcdic-1987",
  characters: "cp037",
  oddDigits: { fixed: zeroLeft, variable: fillRight },
};

/** Characters in EBCDIC, the rest binary; lengths in one or two binary bytes. */
export const ebcdic1987: DialectData = {
  ...inCharacters,
  name: "ebcdic-1987",
  version: "1987",
  characters: "cp1047",
  binary: "raw",
  prefix: "binary",
  mti: "characters",
  bitmap: "raw",
  formats: formats1987,
  secrets,
};

export const ascii1993: DialectData = { ...ascii1987, name: "ascii-1993", version: "1993", formats: formats1993 };

export const bcd1993: DialectData = { ...bcd1987, name: "bcd-1993", version: "1993", formats: formats1993 };

export const dialects: readonly DialectData[] = [ascii1987, asciiBinary1987, bcd1987, bcdEbcdic1987, ebcdic1987, ascii1993, bcd1993];
