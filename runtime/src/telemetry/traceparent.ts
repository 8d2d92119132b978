/**
 * W3C Trace Context, level 1: the `traceparent` header, read strictly and written canonically.
 *
 * A malformed header is as good as none (section 3.2.2.4 asks to start a new trace); a higher version is read as version 00.
 */
import { randomFillSync } from "node:crypto";

export type TraceContext = {
  /** 32 hex characters, not all zero. */ readonly traceId: string /** 16 hex characters, not all zero. */;
  readonly spanId: string;
  readonly isSampled: boolean;
};

const pattern = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const headerLengthMax = 256;

/** Undefined for anything that is not a valid traceparent. */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  if (header === undefined || header.length < 55 || header.length > headerLengthMax) return undefined;
  const match = pattern.exec(header);
  if (match === null || (match[1] === "00" && header.length !== 55)) return undefined;
  return { traceId: match[2] as string, spanId: match[3] as string, isSampled: (Number.parseInt(match[4] as string, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** The sampled flag of a valid traceparent, without taking it apart. False for anything shorter. */
export function isSampled(traceparent: string): boolean {
  // Bit 0 of the last hex digit of the flags, which are characters 53 and 54.
  const code = traceparent.charCodeAt(54);
  return traceparent.length >= 55 && (code & 1) === (code >= 97 ? 0 : 1);
}

const poolBytes = 24 * 256;
const pool = Buffer.alloc(poolBytes);
let poolUsed = poolBytes;

/** The root of a new trace. Random bytes are drawn in bulk: one system call for 256 traces. */
export function newTraceparent(sampled: boolean): string {
  if (poolUsed === poolBytes) {
    randomFillSync(pool);
    poolUsed = 0;
  }
  const hex = pool.toString("hex", poolUsed, poolUsed + 24);
  poolUsed += 24;
  return `00-${hex.slice(0, 32)}-${hex.slice(32)}-${sampled ? "01" : "00"}`;
}
