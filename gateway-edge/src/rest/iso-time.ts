/**
 * Times on the wire: ISO 8601, UTC, milliseconds (RFC 3339), as `Date.toISOString` writes them.
 *
 * Minutes are formatted once and kept for a while: the times of an answer fall into two or three of them, "now" and the days of expiry.
 */
const minutes = new Map<number, string>();
/** Minutes that are kept; one more and all are forgotten. */
const minutesMax = 1_024;
const minuteMs = 60_000;

/** `timeMs`: Unix milliseconds of the years 1970 to 9999. */
export function isoTime(timeMs: bigint): string {
  const time = Number(timeMs);
  const rest = time % minuteMs;
  const start = time - rest;
  const minute = minutes.get(start) ?? formatMinute(start);
  const seconds = Math.trunc(rest / 1_000);
  const milliseconds = rest - seconds * 1_000;
  return `${minute}${seconds < 10 ? "0" : ""}${seconds}.${milliseconds < 10 ? "00" : milliseconds < 100 ? "0" : ""}${milliseconds}Z`;
}

/** "2026-11-21T05:37:" */
function formatMinute(start: number): string {
  const text = new Date(start).toISOString().slice(0, 17);
  if (minutes.size >= minutesMax) minutes.clear();
  minutes.set(start, text);
  return text;
}

/** A JSON string, or null for 0, which stands for "not at all" in the contract. */
export function isoTimeOrNull(timeMs: bigint): string {
  return timeMs === 0n ? "null" : `"${isoTime(timeMs)}"`;
}

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/** Unix milliseconds of an RFC 3339 time, or undefined. "T" and "Z" may be small. Fractions beyond milliseconds are cut; a leap second is refused. */
export function parseIsoTime(text: string): bigint | undefined {
  const upper = text.toUpperCase();
  const match = rfc3339.exec(upper);
  if (match === null) return undefined;
  const [, year = "", month = "", day = ""] = match;
  const time = Date.parse(upper);
  // The engine rolls 30 February over into March; a day that does not exist is a mistake.
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (!Number.isFinite(time) || time < 0 || Number(day) > lastDay || Number(day) < 1) return undefined;
  return BigInt(Math.trunc(time));
}
