/**
 * Velocity windows: what is counted, over how long, and from which count on it matters.
 *
 * Fixed windows: the counter's name carries the window's number, so counting is one increment and forgetting is an expiry.
 */
import type { VelocityCounts } from "./signals.ts";

export type VelocityWindow = {
  readonly name: keyof VelocityCounts;
  /** Short name inside the counter's key. */
  readonly keyPrefix: string;
  readonly windowMs: number;
};

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export const velocityWindows: readonly VelocityWindow[] = [
  { name: "cardPerHour", keyPrefix: "ch", windowMs: hourMs },
  { name: "cardPerDay", keyPrefix: "cd", windowMs: 24 * hourMs },
  { name: "ipPerHour", keyPrefix: "ih", windowMs: hourMs },
  { name: "merchantPerMinute", keyPrefix: "mm", windowMs: minuteMs },
];

/** Counts from which a window raises the score, and from which it blocks. */
export type VelocityLimits = Readonly<Record<keyof VelocityCounts, { readonly raisedFrom: number; readonly blockedFrom: number }>>;

/** Who is counted in each window; an empty subject is not counted. */
export function velocitySubjects(who: {
  readonly merchantId: string;
  readonly cardFingerprint: string;
  readonly customerIp: string;
}): Readonly<Record<keyof VelocityCounts, string>> {
  const card = who.cardFingerprint === "" ? "" : `${who.merchantId}:${who.cardFingerprint}`;
  return { cardPerHour: card, cardPerDay: card, ipPerHour: who.customerIp, merchantPerMinute: who.merchantId };
}

/** The counter's key in the window that `nowMs` falls into. */
export function velocityKey(window: VelocityWindow, subject: string, nowMs: number): string {
  return `v:${window.keyPrefix}:${Math.floor(nowMs / window.windowMs).toString(36)}:${subject}`;
}
