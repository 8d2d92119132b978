/**
 * What was carried out, by terminal, currency and kind, in windows of time: our side of a reconciliation (0500, 0520). Pure; the clock comes as an
 * argument.
 *
 * A message belongs to the window of its own transmission time (DE 7), which follows from our reference: both sides read the same field, so there is no
 * cut that their clocks could place differently, and a repetition belongs where its first copy does.
 *
 * Invariants
 * - an operation counts once, however often it was sent;
 * - what was sent and not answered, or answered with what nobody understands, is `open`: the processor may have it or not;
 * - only windows that began after this process had the links count: of others it knows a part;
 * - a window is taken out once: what is sent for it afterwards (a late reversal has the time of its original) is not counted any more;
 * - what is kept is bounded; a window that is too full is given up as a whole and never called balanced.
 */
import { assert } from "@florin/kernel";
import type { IsoMessage } from "../codec/message.ts";

export const totalsKinds = ["authorization", "debit", "credit", "debit_reversal", "credit_reversal"] as const;
export type TotalsKind = (typeof totalsKinds)[number];
/** Amounts in minor units. Authorizations move no money: the standard counts them, without a sum. */
export type Sum = { readonly count: number; readonly amount: bigint };
export type Sums = Readonly<Record<TotalsKind, Sum>>;

/** A message that counts. */
export type Counted = {
  readonly kind: TotalsKind;
  readonly terminal: string;
  /** Three digits (DE 49). */
  readonly currency: string;
  readonly amount: bigint;
  /** The transmission time, ms since the epoch. */
  readonly atMs: number;
  /** The same for every copy of it. */
  readonly identity: string;
};

export type TotalsSettings = {
  /** Length of a window, a multiple of 1,000 ms. */
  readonly windowMs: number;
  /** From the end of a window to the question about it: longer than an operation waits for its answer. */
  readonly settleMs: number;
  /** Operations kept, over all windows. */
  readonly operationsMax: number;
};

export type Window = { readonly terminal: string; readonly currency: string; readonly fromMs: number; readonly untilMs: number };
export type OwnTotals = Window & { readonly approved: Sums /** What may be there besides. */; readonly open: Sums };

/** Undefined: a void, a reversal of something without money, or a message about something else. `nowMs`: to find the year. */
export function countedOf(message: IsoMessage, nowMs: number): Counted | undefined {
  const kind = kindOf(message);
  const [amount, currency, terminal, identity, transmission] = [4, 49, 41, 37, 7].map((field) => message.fields.get(field));
  if (kind === undefined || typeof amount !== "string" || typeof currency !== "string" || typeof terminal !== "string") return undefined;
  if (typeof identity !== "string" || typeof transmission !== "string") return undefined;
  return {
    kind,
    terminal,
    currency,
    amount: BigInt(amount),
    atMs: momentOf(transmission, nowMs),
    identity: `${message.mti.slice(0, 3)}${identity}`,
  };
}

const refundCode = "20";

function kindOf({ mti, fields }: IsoMessage): TotalsKind | undefined {
  const isRefund = String(fields.get(3)).startsWith(refundCode);
  if (mti.startsWith("010")) return "authorization";
  if (mti.startsWith("022")) return "debit";
  if (mti.startsWith("020")) return isRefund ? "credit" : "debit";
  if (!mti.startsWith("042")) return undefined;
  const original = String(fields.get(90)).slice(0, 3);
  if (original === "022") return "debit_reversal";
  if (original !== "020") return undefined;
  return isRefund ? "credit_reversal" : "debit_reversal";
}

/** MMDDhhmmss in UTC, of the year that brings it closest to now. */
export function momentOf(transmission: string, nowMs: number): number {
  const [month, day, hour, minute, second] = (transmission.match(/\d\d/g) ?? []).map(Number);
  assert(second !== undefined, "DE 7 has ten digits");
  const year = new Date(nowMs).getUTCFullYear();
  const moments = [year - 1, year, year + 1].map((one) => Date.UTC(one, (month ?? 1) - 1, day, hour, minute, second));
  return moments.toSorted((a, b) => Math.abs(a - nowMs) - Math.abs(b - nowMs))[0] as number;
}

type Entry = {
  readonly counted: Counted;
  isApproved: boolean /** Sent once without an answer: a later no is not about that. */;
  isUncertain: boolean;
};
type Page = { readonly window: Window; readonly entries: Map<string, Entry> };

export class TotalsBook {
  readonly #settings: TotalsSettings;
  /** By beginning, terminal and currency. */
  readonly #pages = new Map<string, Page>();
  /** Beginnings of windows of which something had to be left out. */
  readonly #tooFull = new Set<number>();
  #size = 0;
  /** Windows that began earlier are not known as a whole, or have been taken out. */
  #countsFromMs = Number.POSITIVE_INFINITY;
  #beginnings = 0;

  constructor(settings: TotalsSettings) {
    assert(settings.windowMs >= 1_000 && settings.windowMs % 1_000 === 0, "DE 7 counts in seconds");
    this.#settings = settings;
  }

  /** How often this process got the links. What was taken out before the latest time is a part of its window, whoever had them in between. */
  get beginnings(): number {
    return this.#beginnings;
  }

  /** This process has the links from now on, and had them not before: windows count that begin when what others sent is settled. */
  begin(nowMs: number): void {
    this.#beginnings += 1;
    this.#countsFromMs = nowMs + this.#settings.settleMs;
    this.#pages.clear();
    this.#tooFull.clear();
    this.#size = 0;
  }

  /** It leaves now; the processor may have it from now on. */
  sent(counted: Counted): void {
    const fromMs = this.#windowOf(counted.atMs);
    if (fromMs < this.#countsFromMs) return;
    const page = this.#pageOf(counted, fromMs);
    if (page.entries.has(counted.identity)) return;
    if (this.#size >= this.#settings.operationsMax) {
      this.#tooFull.add(fromMs);
      return;
    }
    page.entries.set(counted.identity, { counted, isApproved: false, isUncertain: false });
    this.#size += 1;
  }

  /** `refused`: the processor does not have this copy, because it said so or because it never left. */
  ended(counted: Counted, how: "approved" | "refused" | "unknown"): void {
    const page = this.#pages.get(keyOf(counted, this.#windowOf(counted.atMs)));
    const entry = page?.entries.get(counted.identity);
    if (page === undefined || entry === undefined || entry.isApproved) return;
    if (how === "approved") entry.isApproved = true;
    else if (how === "unknown") entry.isUncertain = true;
    else if (!entry.isUncertain && page.entries.delete(counted.identity)) this.#size -= 1;
  }

  /** Takes out the windows that are to be asked about, oldest first; those that were too full are left out and counted. */
  takeDue(nowMs: number): { readonly due: readonly OwnTotals[]; readonly givenUp: number } {
    const due: OwnTotals[] = [];
    let givenUp = 0;
    for (const [key, { window, entries }] of this.#pages) {
      if (window.untilMs + this.#settings.settleMs > nowMs) continue;
      this.#pages.delete(key);
      this.#size -= entries.size;
      if (this.#tooFull.has(window.fromMs)) givenUp += 1;
      else due.push({ ...window, ...sumsOf(entries) });
    }
    for (const fromMs of this.#tooFull)
      if (fromMs + this.#settings.windowMs + this.#settings.settleMs <= nowMs) this.#tooFull.delete(fromMs);
    // The first window that is not due yet.
    this.#countsFromMs = Math.max(this.#countsFromMs, this.#windowOf(nowMs - this.#settings.settleMs));
    return { due: due.toSorted((a, b) => a.fromMs - b.fromMs), givenUp };
  }

  #windowOf(atMs: number): number {
    return Math.floor(atMs / this.#settings.windowMs) * this.#settings.windowMs;
  }

  #pageOf(counted: Counted, fromMs: number): Page {
    const key = keyOf(counted, fromMs);
    const found = this.#pages.get(key);
    if (found !== undefined) return found;
    const { terminal, currency } = counted;
    const page = { window: { terminal, currency, fromMs, untilMs: fromMs + this.#settings.windowMs }, entries: new Map() };
    this.#pages.set(key, page);
    return page;
  }
}

function keyOf({ terminal, currency }: Counted, fromMs: number): string {
  return `${fromMs} ${terminal} ${currency}`;
}

export const noSums: Sums = Object.fromEntries(totalsKinds.map((kind) => [kind, { count: 0, amount: 0n }])) as Sums;

function sumsOf(entries: ReadonlyMap<string, Entry>): { readonly approved: Sums; readonly open: Sums } {
  let [approved, open] = [noSums, noSums];
  for (const { counted, isApproved } of entries.values()) {
    if (isApproved) approved = plus(approved, counted);
    else open = plus(open, counted);
  }
  return { approved, open };
}

function plus(sums: Sums, { kind, amount }: Counted): Sums {
  const before = sums[kind];
  return { ...sums, [kind]: { count: before.count + 1, amount: before.amount + (kind === "authorization" ? 0n : amount) } };
}

export type Balance =
  /** Both sides have the same. */
  | "balanced"
  /** The processor has more, by no more than what nobody has answered for: reversals and repetitions decide it. */
  | "explained"
  | "different";

export function compareTotals({ approved, open }: Pick<OwnTotals, "approved" | "open">, theirs: Sums): Balance {
  const isEqual = (kind: TotalsKind) => approved[kind].count === theirs[kind].count && approved[kind].amount === theirs[kind].amount;
  if (totalsKinds.every(isEqual)) return "balanced";
  const isWithin = (kind: TotalsKind) =>
    theirs[kind].count >= approved[kind].count &&
    theirs[kind].amount >= approved[kind].amount &&
    theirs[kind].count <= approved[kind].count + open[kind].count &&
    theirs[kind].amount <= approved[kind].amount + open[kind].amount;
  return totalsKinds.every(isWithin) ? "explained" : "different";
}
