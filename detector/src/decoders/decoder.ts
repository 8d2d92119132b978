/** What every decoder is: it looks for one way of spelling bytes, and hands on what the bytes say. */

export type Encoding = "base64" | "hex" | "byte list" | "escapes" | "wide digits" | "utf-16" | "gzip" | "zlib" | "zstd" | "brotli" | "zip";

/** Where byte `index` of what was decoded stands in the source, as near as the encoding tells. Asked in rising order. */
export type ToSource = (index: number) => number;

/** `decoded` belongs to the decoder again when this returns. */
export type OnDecoded = (decoded: Uint8Array, encoding: Encoding, toSource: ToSource) => void;

/** Bytes at this place were not read, and why. */
export type OnUnread = (at: number, why: string) => void;
