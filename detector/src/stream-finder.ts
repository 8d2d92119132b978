/**
 * The detector for streams of any length, in bounded memory: a piece is searched together with the end of the one before, so that a number on the
 * seam is found, once.
 *
 * What is packed within the stream, or is one long word of base64, is read as far as the pieces that hold its beginning reach; a packed part that goes
 * on is told as unread by its decoder's bounds.
 */
import { type Finding, type FindOptions, findCardNumbers, type Unread } from "./find-card-numbers.ts";

export interface StreamFinder {
  /** The next bytes, of any number. */
  push(chunk: Uint8Array): void;
  /** The last of it is searched. */
  end(): void;
}

export type StreamFinderOptions = FindOptions & {
  readonly onFinding: (finding: Finding) => void;
  readonly onUnread: (unread: Unread) => void;
  /** Bytes searched at once; smaller only for tests. */
  readonly pieceBytes?: number;
};

const pieceBytesDefault = 4_194_304;
/** What a number with its glue may be long, and then some for the encodings around it. */
const overlapBytes = 16_384;
/** What is looked at before a number. */
const contextBytes = 256;

export function createStreamFinder(o: StreamFinderOptions): StreamFinder {
  const pieceBytes = Math.max(o.pieceBytes ?? pieceBytesDefault, 2 * (overlapBytes + contextBytes));
  let piece = Buffer.allocUnsafe(pieceBytes);
  let filled = 0;
  /** Where the piece stands in the stream, and from where on nothing was told yet. */
  let offset = 0;
  let toldUntil = 0;
  const search = (until: number): void => {
    const { findings, unread } = findCardNumbers(piece.subarray(0, filled), o);
    const isNew = (at: number): boolean => at >= toldUntil && at < until;
    for (const finding of findings) {
      const start = finding.start + offset;
      if (isNew(start)) o.onFinding({ ...finding, start, end: finding.end + offset });
    }
    for (const { at, why } of unread) if (isNew(at + offset)) o.onUnread({ at: at + offset, why });
    toldUntil = until;
  };
  const slide = (): void => {
    search(offset + filled - overlapBytes);
    const keepFrom = filled - overlapBytes - contextBytes;
    piece.copyWithin(0, keepFrom, filled);
    offset += keepFrom;
    filled -= keepFrom;
  };
  return {
    push(chunk) {
      for (let read = 0; read < chunk.length; ) {
        const size = Math.min(chunk.length - read, pieceBytes - filled);
        piece.set(chunk.subarray(read, read + size), filled);
        filled += size;
        read += size;
        if (filled === pieceBytes) slide();
      }
    },
    end() {
      search(Number.POSITIVE_INFINITY);
      piece = Buffer.alloc(0);
      filled = 0;
    },
  };
}
