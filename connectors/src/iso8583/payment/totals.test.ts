import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IsoMessage } from "../codec/message.ts";
import { type Counted, compareTotals, countedOf, momentOf, noSums, type Sums, TotalsBook, type TotalsKind, totalsKinds } from "./totals.ts";

const now = Date.UTC(2026, 10, 21, 12, 0, 0);
const settings = { windowMs: 60_000, settleMs: 30_000, operationsMax: 1_000 };
/** Of the first window that counts. */
const inWindow = now + 60_000;
const due = inWindow + 60_000 + 30_000;

let counter = 0;
const counted = (change: Partial<Counted> = {}): Counted => {
  counter += 1;
  return { kind: "debit", terminal: "T1", currency: "978", amount: 1_000n, atMs: inWindow, identity: String(counter), ...change };
};
const sums = (some: Partial<Record<TotalsKind, readonly [number, bigint]>>): Sums =>
  Object.fromEntries(totalsKinds.map((kind) => [kind, { count: some[kind]?.[0] ?? 0, amount: some[kind]?.[1] ?? 0n }])) as Sums;
function openBook(change: Partial<typeof settings> = {}): TotalsBook {
  const book = new TotalsBook({ ...settings, ...change });
  book.begin(now);
  return book;
}

describe("what counts", () => {
  const message = (mti: string, more: Readonly<Record<number, string>> = {}): IsoMessage => ({
    mti,
    fields: new Map(
      Object.entries({ 3: "000000", 4: "000000001234", 7: "1121120100", 37: "6325ABCDEFGH", 41: "T1", 49: "978", ...more }).map(
        ([field, text]) => [Number(field), text] as const,
      ),
    ),
  });
  const original = (mti: string) => ({ 90: `${mti}${"0".repeat(38)}` });
  const table: readonly (readonly [string, IsoMessage, TotalsKind | undefined])[] = [
    ["an authorization", message("0100"), "authorization"],
    ["a purchase", message("0200"), "debit"],
    ["a capture", message("0220"), "debit"],
    ["a refund", message("0200", { 3: "200000" }), "credit"],
    ["a void", message("0400", original("0100")), undefined],
    ["the reversal of a purchase", message("0420", original("0200")), "debit_reversal"],
    ["the repeated reversal of a capture", message("0421", original("0220")), "debit_reversal"],
    ["the reversal of a refund", message("0420", { 3: "200000", ...original("0200") }), "credit_reversal"],
    ["the reversal of an authorization, which moved nothing", message("0420", original("0100")), undefined],
    ["a message about the link", message("0800"), undefined],
  ];
  test.each(table)("%s", (_name, asked, kind) => {
    expect(countedOf(asked, now)?.kind).toBe(kind);
  });

  test("by terminal, currency, amount and its own time; a repetition is the same", () => {
    const first = countedOf(message("0420", original("0200")), now);
    expect(first).toMatchObject({ terminal: "T1", currency: "978", amount: 1_234n, atMs: Date.UTC(2026, 10, 21, 12, 1, 0) });
    expect(countedOf(message("0421", original("0200")), now)?.identity).toBe(first?.identity);
    // A capture and a reversal may share the retrieval reference by chance.
    expect(countedOf(message("0220"), now)?.identity).not.toBe(first?.identity);
  });

  test("a time has no year: it is of the one that is closest", () => {
    expect(momentOf("1231235959", Date.UTC(2027, 0, 1, 0, 0, 1))).toBe(Date.UTC(2026, 11, 31, 23, 59, 59));
    expect(momentOf("0101000000", Date.UTC(2026, 11, 31, 23, 59, 59))).toBe(Date.UTC(2027, 0, 1));
  });
});

describe("a window", () => {
  test("is asked about when its operations may have no more answers, by terminal and currency", () => {
    const book = openBook();
    for (const one of [counted({ amount: 500n }), counted({ terminal: "T2" }), counted({ currency: "840" }), counted({ kind: "credit" })]) {
      book.sent(one);
      book.ended(one, "approved");
    }
    expect(book.takeDue(due - 1)).toEqual({ due: [], givenUp: 0 });
    const taken = book.takeDue(due).due;
    expect(taken.map(({ terminal, currency, approved }) => [terminal, currency, approved])).toEqual([
      ["T1", "978", sums({ debit: [1, 500n], credit: [1, 1_000n] })],
      ["T2", "978", sums({ debit: [1, 1_000n] })],
      ["T1", "840", sums({ debit: [1, 1_000n] })],
    ]);
    expect(taken[0]).toMatchObject({ fromMs: inWindow, untilMs: inWindow + 60_000, open: noSums });
    expect(book.takeDue(due + 1_000_000).due).toEqual([]);
  });

  test("holds an operation once, however often it was sent and answered", () => {
    const book = openBook();
    const one = counted();
    book.sent(one);
    book.ended(one, "unknown");
    for (let times = 0; times < 3; times++) {
      book.sent(one);
      book.ended(one, "approved");
    }
    expect(book.takeDue(due).due).toMatchObject([{ approved: sums({ debit: [1, 1_000n] }), open: noSums }]);
  });

  test("knows what is open: not answered, not understood, or refused only after that", () => {
    const book = openBook();
    const [silent, garbled, refusedLater, refused, unsent] = [counted(), counted(), counted(), counted(), counted()];
    for (const one of [silent, garbled, refusedLater, refused, unsent]) book.sent(one);
    book.ended(garbled, "unknown");
    book.ended(refusedLater, "unknown");
    book.ended(refusedLater, "refused");
    book.ended(refused, "refused");
    book.ended(unsent, "refused");
    expect(book.takeDue(due).due).toMatchObject([{ approved: noSums, open: sums({ debit: [3, 3_000n] }) }]);
  });

  test("that began before this process had the links, or too soon after, does not count", () => {
    const book = openBook();
    for (const atMs of [now - 1, now, now + 59_999]) {
      const early = counted({ atMs });
      book.sent(early);
      book.ended(early, "approved");
    }
    expect(book.takeDue(due)).toEqual({ due: [], givenUp: 0 });
    const one = counted();
    book.sent(one);
    book.begin(now + 70_000);
    expect(book.takeDue(due).due).toEqual([]);
  });

  test("is asked about once, whatever is sent for it afterwards", () => {
    const book = openBook();
    const [late, never] = [counted(), counted({ terminal: "T2" })];
    book.sent(late);
    book.ended(late, "unknown");
    expect(book.takeDue(due).due).toMatchObject([{ open: sums({ debit: [1, 1_000n] }) }]);
    // Repeated until it is answered; and another one of that time, which nobody had sent before.
    for (const one of [late, never]) {
      book.sent(one);
      book.ended(one, "approved");
    }
    expect(book.takeDue(due + 1_000_000)).toEqual({ due: [], givenUp: 0 });
  });

  test("that is not due yet counts although earlier ones were taken, at any moment and after the clock was set back", () => {
    const offsets = fc.array(fc.nat(300_000), { maxLength: 20 });
    fc.assert(
      fc.property(offsets, fc.nat(120_000), (looks, offset) => {
        const book = openBook();
        const one = counted({ atMs: inWindow + offset });
        const windowUntil = inWindow + (Math.floor(offset / settings.windowMs) + 1) * settings.windowMs;
        const dueAt = windowUntil + settings.settleMs;
        for (const look of looks) if (now + look < dueAt) book.takeDue(now + look);
        book.sent(one);
        book.ended(one, "approved");
        expect(book.takeDue(dueAt).due).toMatchObject([{ untilMs: windowUntil, approved: sums({ debit: [1, 1_000n] }) }]);
      }),
    );
  });

  test("that was too full is given up, never compared", () => {
    const book = openBook({ operationsMax: 2 });
    for (const one of [counted(), counted(), counted()]) book.sent(one);
    expect(book.takeDue(due)).toEqual({ due: [], givenUp: 1 });
    const next = counted({ atMs: inWindow + 60_000 });
    book.sent(next);
    book.ended(next, "approved");
    expect(book.takeDue(due + 60_000)).toMatchObject({ givenUp: 0, due: [{ approved: sums({ debit: [1, 1_000n] }) }] });
  });
});

describe("both sides", () => {
  const approved = sums({ debit: [2, 2_000n], credit: [1, 300n], authorization: [5, 0n] });
  const open = sums({ debit: [1, 500n] });
  test.each([
    ["have the same", approved, "balanced"],
    ["differ by what is open", sums({ debit: [3, 2_500n], credit: [1, 300n], authorization: [5, 0n] }), "explained"],
    ["differ by more than is open", sums({ debit: [4, 2_500n], credit: [1, 300n], authorization: [5, 0n] }), "different"],
    ["differ in a sum beyond what is open", sums({ debit: [3, 2_501n], credit: [1, 300n], authorization: [5, 0n] }), "different"],
    ["differ where nothing is open", sums({ debit: [2, 2_000n], credit: [2, 600n], authorization: [5, 0n] }), "different"],
    ["have less at the processor", sums({ debit: [1, 1_000n], credit: [1, 300n], authorization: [5, 0n] }), "different"],
    ["have the count and another sum", sums({ debit: [2, 1_999n], credit: [1, 300n], authorization: [5, 0n] }), "different"],
    ["have fewer authorizations", sums({ debit: [2, 2_000n], credit: [1, 300n], authorization: [4, 0n] }), "different"],
  ] as const)("%s", (_name, theirs, balance) => {
    expect(compareTotals({ approved, open }, theirs)).toBe(balance);
  });

  test("whatever is lost, repeated or answered late, a processor that carried out what it got is never called different", () => {
    const anyStep = fc.record({ which: fc.nat(9), arrives: fc.boolean(), isAnswered: fc.boolean() });
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
        const book = openBook();
        const operations = Array.from({ length: 10 }, (_, index) =>
          counted({ kind: totalsKinds[index % 5] as TotalsKind, amount: BigInt(index) }),
        );
        const carriedOut = new Set<Counted>();
        for (const { which, arrives, isAnswered } of steps) {
          const one = operations[which] as Counted;
          book.sent(one);
          if (arrives) carriedOut.add(one);
          book.ended(one, arrives && isAnswered ? "approved" : "unknown");
        }
        const [totals] = book.takeDue(due).due;
        if (totals === undefined) return;
        let theirs = noSums;
        for (const { kind, amount } of carriedOut) {
          const before = theirs[kind];
          theirs = { ...theirs, [kind]: { count: before.count + 1, amount: before.amount + (kind === "authorization" ? 0n : amount) } };
        }
        expect(compareTotals(totals, theirs)).not.toBe("different");
      }),
    );
  });
});
