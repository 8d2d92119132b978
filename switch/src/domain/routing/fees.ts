/**
 * What a processor charges for one approved payment, in whole numbers only.
 *
 * The exact fee is kept in ten-thousandths of a minor unit (amount × basis points + fixed × 10,000), which no division has touched:
 * processors are compared by it. Only what is shown is rounded, half up, to the minor unit, as an acquirer rounds each line of its bill.
 */
import { assert } from "@florin/kernel";
import { type CardOrigin, type InterchangeClass, type InterchangeTable, interchangeClassOf } from "./interchange.ts";

/** One minor unit in units of the exact fee; also the basis points of a whole. */
export const exactPerMinor = 10_000n;
/** Half of the amount: more is a mistake in the settings. */
export const rateBpsMax = 5_000;

export type FeeSchedule = {
  /** Of the processor, basis points of the amount; under "blended" it includes interchange. */
  readonly rateBps: number;
  /** Per payment, by currency, minor units. A currency that is not listed has no price here. */
  readonly fixedMinor: ReadonlyMap<string, bigint>;
  /** "blended": one price for all cards. Otherwise the issuer's share by class, passed on. */
  readonly interchange: "blended" | InterchangeTable;
};

/** A schedule as the calculation reads it: the sums of basis points made once, as big integers. */
export type FeeTable = {
  readonly bpsByClass: Readonly<Record<InterchangeClass, bigint>>;
  readonly fixedExact: ReadonlyMap<string, bigint>;
};

export const interchangeClasses: readonly InterchangeClass[] = (["credit", "debit", "prepaid"] as const).flatMap((funding) =>
  (["domestic", "intra_eea", "international"] as const).map((region): InterchangeClass => `${funding}_${region}`),
);

/** Asserts that every rate is a whole number of basis points from 0 to `rateBpsMax`, and that no fixed fee is negative. */
export function feeTableOf(schedule: FeeSchedule): FeeTable {
  const { rateBps, fixedMinor, interchange } = schedule;
  const bps = interchangeClasses.map((one) => {
    const sum = rateBps + (interchange === "blended" ? 0 : interchange[one]);
    assert(Number.isInteger(sum) && rateBps >= 0 && sum >= rateBps && sum <= rateBpsMax, "a rate is 0 to 5,000 whole basis points");
    return [one, BigInt(sum)] as const;
  });
  for (const fixed of fixedMinor.values()) assert(fixed >= 0n, "a fixed fee is not negative");
  return {
    bpsByClass: Object.fromEntries(bps) as Record<InterchangeClass, bigint>,
    fixedExact: new Map([...fixedMinor].map(([currency, fixed]) => [currency, fixed * exactPerMinor])),
  };
}

export type FeeQuestion = CardOrigin & { readonly amountMinor: bigint; readonly currency: string };

/** In ten-thousandths of a minor unit; undefined when the processor has no price for this currency. */
export function exactFee(table: FeeTable, question: FeeQuestion): bigint | undefined {
  const fixed = table.fixedExact.get(question.currency);
  return fixed === undefined ? undefined : question.amountMinor * table.bpsByClass[interchangeClassOf(question)] + fixed;
}

/** Rounded half up to the minor unit. */
export function feeMinorOf(exact: bigint): bigint {
  return (exact + exactPerMinor / 2n) / exactPerMinor;
}
