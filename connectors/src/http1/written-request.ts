/**
 * A request as HTTP/1.1 bytes: head and body in one buffer, one write.
 *
 * A card number goes from the vault's bytes into the buffer and never becomes a string. Whatever stands in a head was checked to be
 * printable ASCII, so that nothing can break out of it.
 */
import { assert, type Secret } from "@florin/kernel";
import { giveBack, takeBuffer } from "./request-buffer.ts";

export type WrittenRequest = {
  /** Exactly the request. */
  readonly bytes: Buffer;
  /** Overwrites the bytes, as soon as they have left. Does nothing after `release`, when the buffer may be another request's. */
  readonly wipe: () => void;
  /** Wipes the bytes and gives their buffer back; call it once, when the exchange is over. */
  readonly release: () => void;
};

/** Digits of the Content-Length field, padded with blanks (RFC 9110 §5.5 lets blanks precede a value). */
const lengthDigits = 6;
const safeInHead = /^[\x21-\x7e]+$/;
const traceparentLength = 55;
const traceparentPattern = /^[0-9a-f-]+$/;

/** A key as text for a head, one character for each byte; whether it fits there `isInHead` says. */
export function keyText(key: Secret): string {
  return Buffer.from(key.expose()).toString("latin1");
}

export function isInHead(text: string): boolean {
  return safeInHead.test(text);
}

/** References and ids were checked where they came in; one that could break out of a head is a bug. */
export function inHead(text: string): string {
  assert(safeInHead.test(text), "references and ids are printable ASCII");
  return text;
}

/** A header line, or nothing when the trace is malformed or there is none. */
export function traceHeader(traceparent: string): string {
  return traceparent.length === traceparentLength && traceparentPattern.test(traceparent) ? `traceparent: ${traceparent}\r\n` : "";
}

/** A whole request without a body. */
export function writeHead(text: string): WrittenRequest {
  const buffer = takeBuffer(text.length);
  return finished(buffer, buffer.write(text, 0, "latin1"));
}

/** `head` ends in "content-length: ". The body is `text`, in UTF-8, and then `pieces` as they are. */
export function writeRequest(head: string, text: string, pieces: readonly Uint8Array[]): WrittenRequest {
  let bodyBytes = Buffer.byteLength(text, "utf8");
  for (const piece of pieces) bodyBytes += piece.length;
  const total = head.length + lengthDigits + 4 + bodyBytes;
  const buffer = takeBuffer(total);
  let at = buffer.write(head, 0, "latin1");
  at += buffer.write(`${String(bodyBytes).padStart(lengthDigits, " ")}\r\n\r\n`, at, "latin1");
  at += buffer.write(text, at, "utf8");
  for (const piece of pieces) {
    buffer.set(piece, at);
    at += piece.length;
  }
  assert(at === total, "a request is as long as its head says");
  return finished(buffer, total);
}

function finished(buffer: Buffer, usedBytes: number): WrittenRequest {
  let isReleased = false;
  return {
    bytes: buffer.subarray(0, usedBytes),
    wipe() {
      if (!isReleased) buffer.fill(0, 0, usedBytes);
    },
    release() {
      isReleased = true;
      giveBack(buffer, usedBytes);
    },
  };
}
