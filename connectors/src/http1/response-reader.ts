/**
 * Reads one HTTP/1.1 response (RFC 9112) from the bytes of a connection that carries one exchange at a time.
 *
 * Strict on purpose: whatever this does not understand is `garbage`, which the caller reports as an unknown outcome and closes the
 * connection. A body needs a length: Content-Length or chunked; one that ends with the connection cannot be told from a cut one.
 * Deliberately not here: trailers, content encodings, upgrades. They are never asked for.
 */

export type ResponseHead = {
  readonly status: number;
  /** The peer will close the connection after this answer. */
  readonly isLast: boolean;
  /** Seconds the peer keeps an idle connection; undefined when it does not say. */
  readonly keepAliveS: number | undefined;
};

export type Reading =
  | { readonly kind: "more" }
  | { readonly kind: "garbage" }
  /** `body` is a view of the bytes given. `hasExcess`: bytes follow that nobody asked for. */
  | { readonly kind: "response"; readonly head: ResponseHead; readonly body: Buffer; readonly hasExcess: boolean };

export const headSizeBytesMax = 16_384;
export const bodySizeBytesMax = 65_536;
/** Heads, interim ones among them, body and what stands around its chunks. */
export const rawSizeBytesMax = 4 * headSizeBytesMax + 2 * bodySizeBytesMax;
/** Pieces in which an answer may come. Each is read from the start, so this bounds what an answer in crumbs can cost. */
export const piecesMax = 1_024;
const chunksMax = 1_024;
const interimResponsesMax = 8;

const more: Reading = { kind: "more" };
const garbage: Reading = { kind: "garbage" };
const noBody = Buffer.alloc(0);

type Framing = ResponseHead & { readonly contentLength: number; readonly isChunked: boolean };

/** `bytes`: all that came since the request was sent, in so many pieces. */
export function readResponse(bytes: Buffer, pieces = 1): Reading {
  const reading = readWhole(bytes);
  const isEndless = bytes.length > rawSizeBytesMax || pieces > piecesMax;
  return reading.kind === "more" && isEndless ? garbage : reading;
}

function readWhole(bytes: Buffer): Reading {
  let start = 0;
  for (let interim = 0; interim <= interimResponsesMax; interim++) {
    const end = bytes.indexOf("\r\n\r\n", start, "latin1");
    if (end < 0) return bytes.length - start > headSizeBytesMax || !mayBeHead(bytes, start) ? garbage : more;
    if (end - start > headSizeBytesMax) return garbage;
    const head = parseHead(bytes.toString("latin1", start, end));
    if (head === undefined) return garbage;
    if (head.status >= 200) return readBody(bytes, end + 4, head);
    // Switching protocols was not asked for; other interim answers are skipped (RFC 9110 §15.2).
    if (head.status === 101) return garbage;
    start = end + 4;
  }
  return garbage;
}

/** So that a peer which talks something else is found out at its first bytes and not after a time-out. */
function mayBeHead(bytes: Buffer, start: number): boolean {
  const begin = bytes.toString("latin1", start, Math.min(start + 7, bytes.length));
  return "HTTP/1.".startsWith(begin);
}

const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t -~\x80-\xff]*)?$/;

function parseHead(text: string): Framing | undefined {
  const firstEnd = text.indexOf("\r\n");
  const match = statusLine.exec(firstEnd < 0 ? text : text.slice(0, firstEnd));
  if (match === null) return undefined;
  const status = Number(match[2]);
  let contentLength = -1;
  let isChunked = false;
  let isLast = match[1] === "0";
  let keepAliveS: number | undefined;
  for (let at = firstEnd < 0 ? text.length : firstEnd + 2; at < text.length; ) {
    let lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) lineEnd = text.length;
    const colon = text.indexOf(":", at);
    if (colon <= at || colon >= lineEnd) return undefined;
    const first = text.charCodeAt(at) | 0x20;
    // Only names that begin with c, k or t say anything about framing.
    if (first === 0x63 || first === 0x6b || first === 0x74) {
      const name = text.slice(at, colon).toLowerCase();
      if (name === "content-length") {
        const value = parseLength(text.slice(colon + 1, lineEnd).trim());
        if (value === undefined || (contentLength >= 0 && contentLength !== value)) return undefined;
        contentLength = value;
      } else if (name === "transfer-encoding") {
        if (
          isChunked ||
          text
            .slice(colon + 1, lineEnd)
            .trim()
            .toLowerCase() !== "chunked"
        )
          return undefined;
        isChunked = true;
      } else if (name === "connection") {
        if (/(?:^|[\s,])close(?:$|[\s,])/i.test(text.slice(colon + 1, lineEnd))) isLast = true;
      } else if (name === "keep-alive") {
        const timeout = /timeout=(\d{1,6})/i.exec(text.slice(colon + 1, lineEnd));
        if (timeout !== null) keepAliveS = Number(timeout[1]);
      }
    }
    at = lineEnd + 2;
  }
  // Both at once is how responses are smuggled (RFC 9112 §6.3).
  if (isChunked && contentLength >= 0) return undefined;
  return { status, isLast, keepAliveS, contentLength, isChunked };
}

function parseLength(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function readBody(bytes: Buffer, start: number, head: Framing): Reading {
  if (head.status === 204 || head.status === 304) return { kind: "response", head, body: noBody, hasExcess: bytes.length > start };
  if (head.isChunked) return readChunks(bytes, start, head);
  if (head.contentLength < 0 || head.contentLength > bodySizeBytesMax) return garbage;
  const end = start + head.contentLength;
  if (bytes.length < end) return more;
  return { kind: "response", head, body: bytes.subarray(start, end), hasExcess: bytes.length > end };
}

/** RFC 9112 §7.1. Starts over with every new piece: answers are small. */
function readChunks(bytes: Buffer, start: number, head: Framing): Reading {
  const parts: Buffer[] = [];
  let total = 0;
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at, "latin1");
    if (lineEnd < 0) return bytes.length - at > 256 ? garbage : more;
    const match = /^([0-9a-f]{1,6})(?:[\t ]*;[^\r\n]{0,200})?$/i.exec(bytes.toString("latin1", at, lineEnd));
    if (match === null) return garbage;
    const size = Number.parseInt(match[1] as string, 16);
    total += size;
    if (total > bodySizeBytesMax) return garbage;
    at = lineEnd + 2;
    if (bytes.length < at + size + 2) return more;
    if (bytes[at + size] !== 0x0d || bytes[at + size + 1] !== 0x0a) return garbage;
    if (size === 0) return { kind: "response", head, body: Buffer.concat(parts), hasExcess: bytes.length > at + 2 };
    if (parts.push(bytes.subarray(at, at + size)) > chunksMax) return garbage;
    at += size + 2;
  }
}
