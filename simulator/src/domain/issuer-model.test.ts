import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { acquirerWays } from "./acquirer-ways.ts";
import { type CardRegion, createIssuerModel, type Question } from "./issuer-model.ts";

const seed = Math.floor(Math.random() * 1_000_000) + 1;
const payments = 20_000;
/** Six standard deviations of a share of one half over so many payments. */
const shareSlack = 6 * Math.sqrt(0.25 / payments);
const noonMs = Date.UTC(2026, 0, 15, 12);
const hourMs = 3_600_000;

const issuers = createIssuerModel({ seed, ways: acquirerWays });
const lucks = Array.from({ length: payments }, (_, index) => `pay_${index}`);

type Asked = Partial<Question> & { readonly acquirer: string };
const isApproved = (luck: string, asked: Asked): boolean =>
  issuers.answerOf({ brand: "visa", region: "domestic", atMs: noonMs, luck, ...asked }) === "00";
const approvedShare = (asked: Asked): number => lucks.filter((luck) => isApproved(luck, asked)).length / payments;

describe(`the world of seed ${seed}`, () => {
  test.each([
    ["usually", { acquirer: "north" }, 0.93],
    ["for a card that it is bad with", { acquirer: "north", brand: "amex", region: "international" as CardRegion }, 0.84],
    ["for the same brand at home", { acquirer: "north", brand: "amex" }, 0.93],
    ["for a card that it is good with", { acquirer: "west", brand: "amex", region: "domestic" as CardRegion }, 0.97],
    ["in its bad hours", { acquirer: "north", atMs: noonMs + hourMs }, 0.7],
    ["in another's bad hours", { acquirer: "east", atMs: noonMs + hourMs }, 0.92],
    ["when they are over", { acquirer: "north", atMs: noonMs + 3 * hourMs }, 0.93],
  ] as const)("an acquirer gets through %s with its share", (_when, asked, share) => {
    expect(Math.abs(approvedShare(asked) - share)).toBeLessThan(shareSlack);
  });

  test("acquirers fail independently: what one loses, another gets through as often as ever", () => {
    const lost = lucks.filter((luck) => !isApproved(luck, { acquirer: "north" }));
    const recovered = lost.filter((luck) => isApproved(luck, { acquirer: "east" })).length / lost.length;
    expect(Math.abs(recovered - 0.92)).toBeLessThan(6 * Math.sqrt((0.92 * 0.08) / lost.length));
  });

  test("a card is refused for good with its share, and for its own sake", () => {
    const cards = lucks.map((luck) => issuers.refusalOf(luck));
    const refused = cards.filter((code) => code !== undefined);
    expect(Math.abs(refused.length / payments - 0.07)).toBeLessThan(shareSlack);
    // Ten of eighteen reasons are a lack of money; none is one that another try may mend.
    expect(Math.abs(refused.filter((code) => code === "51").length / refused.length - 10 / 18)).toBeLessThan(0.1);
    expect(new Set(refused)).toEqual(new Set(["51", "54", "N7", "59", "41", "43", "46", "12"]));
    expect(lucks.map((luck) => issuers.refusalOf(luck))).toEqual(cards);
  });

  test("cards are of all regions, by their first digits", () => {
    const bins = Array.from({ length: 6_000 }, (_, index) => String(400_000 + index));
    const share = (region: CardRegion) => bins.filter((bin) => issuers.regionOf(bin) === region).length / bins.length;
    expect(share("domestic")).toBeCloseTo(5 / 12, 1);
    expect(share("intra_eea")).toBeCloseTo(4 / 12, 1);
    expect(share("international")).toBeCloseTo(3 / 12, 1);
  });

  test("an acquirer is out of order for whole minutes in a row, in its share of the hours, and alone", () => {
    const ways = { often: { ...acquirerWays.east, outages: { perHour: 0.5, minutes: 10 } }, never: noOutages, same: sometimes };
    const world = createIssuerModel({ seed, ways });
    const minutes = Array.from({ length: 2_000 * 60 }, (_, minute) => noonMs + minute * 60_000);
    const out = (acquirer: string) => minutes.map((atMs) => world.isOutOfOrder(acquirer, atMs));
    const often = out("often");
    // Half of the hours, ten minutes each; some outages run into each other.
    const share = often.filter(Boolean).length / minutes.length;
    expect(share).toBeGreaterThan(0.065);
    expect(share).toBeLessThan(0.1);
    const runs = often
      .map((isOut) => (isOut ? "x" : " "))
      .join("")
      .trim()
      .split(/ +/);
    expect(Math.min(...runs.slice(1, -1).map((run) => run.length))).toBe(10);
    expect(out("never")).not.toContain(true);
    const both = out("same").filter((isOut, index) => isOut && often[index] === true).length;
    expect(both / out("same").filter(Boolean).length).toBeLessThan(0.2);
  });
});

const noOutages = { ...acquirerWays.east, outages: { perHour: 0, minutes: 10 } };
const sometimes = { ...acquirerWays.east, outages: { perHour: 0.5, minutes: 10 } };

const questions = fc.record({
  acquirer: fc.constantFrom(...Object.keys(acquirerWays)),
  brand: fc.constantFrom("visa", "mastercard", "amex", "unknown"),
  region: fc.constantFrom<CardRegion>("domestic", "intra_eea", "international"),
  atMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  luck: fc.string(),
});

test("the same seed is the same world, asked in any order", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(questions, { maxLength: 20 }), (anySeed, asked) => {
      const [one, other] = [0, 1].map(() => createIssuerModel({ seed: anySeed, ways: acquirerWays })) as [typeof issuers, typeof issuers];
      const answers = asked.map((question) => [one.answerOf(question), one.isOutOfOrder(question.acquirer, question.atMs)]);
      const again = asked
        .toReversed()
        .map((question) => [other.answerOf(question), other.isOutOfOrder(question.acquirer, question.atMs)])
        .toReversed();
      expect(again).toEqual(answers);
    }),
  );
});

test("another seed is another world", () => {
  const other = createIssuerModel({ seed: seed + 1, ways: acquirerWays });
  const differ = lucks.filter((luck) => (other.refusalOf(luck) === undefined) !== (issuers.refusalOf(luck) === undefined));
  // Two independent worlds disagree on 2 x 0.07 x 0.93 of all cards.
  expect(Math.abs(differ.length / payments - 0.13)).toBeLessThan(shareSlack);
});

test("an acquirer that nobody knows is a bug", () => {
  expect(() => isApproved("pay_1", { acquirer: "nobody" })).toThrow("nobody");
});
