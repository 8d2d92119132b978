/**
 * How well each acquirer gets through to the issuers. `simpay`, `simiso` and `simlater` are those that this process plays over the wire; the others exist in
 * replays of routing alone. No way is best for every card, and none all day. The shares are ours, not measured.
 */
import type { AcquirerWay } from "./issuer-model.ts";

const everyFewDays = { perHour: 0.01, minutes: 6 } as const;

export const acquirerWays = {
  simpay: {
    usual: 0.93,
    special: { "amex/international": 0.84 },
    badHours: { from: 13, to: 15, share: 0.7 },
    outages: everyFewDays,
  },
  simiso: {
    usual: 0.92,
    special: { "visa/international": 0.82, "mastercard/international": 0.84, "amex/domestic": 0.97 },
    badHours: undefined,
    outages: everyFewDays,
  },
  simlater: { usual: 0.94, special: {}, badHours: { from: 9, to: 10, share: 0.75 }, outages: everyFewDays },
  north: {
    usual: 0.93,
    special: { "amex/international": 0.84 },
    badHours: { from: 13, to: 15, share: 0.7 },
    outages: everyFewDays,
  },
  east: {
    usual: 0.92,
    special: { "visa/international": 0.82, "mastercard/international": 0.84 },
    badHours: undefined,
    outages: everyFewDays,
  },
  south: { usual: 0.96, special: {}, badHours: { from: 20, to: 21, share: 0.6 }, outages: { perHour: 0.02, minutes: 10 } },
  west: {
    usual: 0.9,
    special: { "amex/domestic": 0.97, "amex/international": 0.95, "visa/international": 0.94 },
    badHours: undefined,
    outages: everyFewDays,
  },
} as const satisfies Record<string, AcquirerWay>;

/** The acquirers that this process plays, by their language: HTTP, ISO 8583, HTTP with callbacks. */
export type PlayedAcquirer = "simpay" | "simiso" | "simlater";
