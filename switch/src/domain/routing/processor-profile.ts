/**
 * What routing knows of one processor: what it can do and what it costs. Values only, made once from the settings and the connectors' registry.
 *
 * Not here: whether it answers right now (the breakers know) and how often it approves (`authorization-rates.ts`).
 */
import type { FeeSchedule } from "./fees.ts";

/** What a payment may need beside the plain authorization. The words are those of the connectors' capabilities. */
export const capabilities = ["manual_capture", "multiple_captures", "multiple_refunds", "void_after_capture", "reversal", "query"] as const;
export type Capability = (typeof capabilities)[number];

/** A set of codes; "any" for a processor that names none. */
export type CodeSet = ReadonlySet<string> | "any";

/** Bounds of one operation in minor units of the currency it stands under, both included. */
export type AmountRange = { readonly minMinor: bigint; readonly maxMinor: bigint };

/** A decision keeps every candidate with its reasons, so their number bounds what a payment's timeline holds. */
export const processorsMax = 16;

export type ProcessorProfile = {
  /** Name in the connectors' registry, for example "simpay". */
  readonly name: string;
  /** ISO 4217. */
  readonly currencies: CodeSet;
  /** Card brands, as the vault names them. */
  readonly networks: CodeSet;
  /** Countries of issue, ISO 3166-1 alpha-2. A card whose country nobody knows fits only "any". */
  readonly cardCountries: CodeSet;
  /** By currency; a currency without an entry has no bounds but the system's own. */
  readonly amounts: ReadonlyMap<string, AmountRange>;
  readonly capabilities: ReadonlySet<Capability>;
  readonly fees: FeeSchedule;
};

export function includes(set: CodeSet, code: string): boolean {
  return set === "any" || set.has(code);
}
