import { Secret } from "@florin/kernel";
import { afterEach, describe, expect, test } from "vitest";
import { decodeMessage } from "../codec/decode.ts";
import { makeDialect } from "../codec/dialect.ts";
import { asciiBinary1987 } from "../codec/dialects.ts";
import { encodeMessage } from "../codec/encode.ts";
import type { FieldValue, IsoMessage } from "../codec/message.ts";
import type { LinkAnswer } from "../link/processor-links.ts";
import { textInPrivateData } from "./private-data.ts";
import { type Counted, TotalsBook } from "./totals.ts";
import { readTotals, totalsMessage } from "./totals-messages.ts";
import { type OnTotals, startTotals } from "./totals-round.ts";

const now = Date.UTC(2026, 10, 21, 12, 0, 0);
const windowMs = 60_000;
const settleMs = 30_000;
const operation: Counted = { kind: "debit", terminal: "T1", currency: "978", amount: 4_000n, atMs: now + windowMs, identity: "1" };
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function bookWithOne(): TotalsBook {
  const book = new TotalsBook({ windowMs, settleMs, operationsMax: 10 });
  book.begin(now);
  book.sent(operation);
  book.ended(operation, "approved");
  return book;
}

/** A reply with the request's own sums, changed. */
function reply(request: IsoMessage, change: Readonly<Record<number, string | undefined>> = {}): LinkAnswer {
  const fields = new Map<number, FieldValue>([...request.fields, [39, "00"], [66, "1"]]);
  for (const [field, text] of Object.entries(change)) {
    if (text === undefined) fields.delete(Number(field));
    else fields.set(Number(field), text);
  }
  return { kind: "answered", message: { mti: `${request.mti.slice(0, 2)}${request.mti[2] === "0" ? "1" : "3"}0`, fields } };
}

/** Rounds by hand: each is over when it resolves. */
function start(answer: (request: IsoMessage) => LinkAnswer, o: { isUp?: () => boolean; book?: TotalsBook } = {}) {
  const asked: IsoMessage[] = [];
  const results: Parameters<OnTotals>[0][] = [];
  let next: (() => void) | undefined;
  const clock = { nowMs: now };
  const stop = startTotals({
    book: o.book ?? bookWithOne(),
    links: {
      isUp: o.isUp ?? (() => true),
      exchange: async (request) => {
        asked.push(request);
        return answer(request);
      },
    },
    ...{ acquirerId: "99900000001", periodMs: 1, answerTimeoutMs: 1_000 },
    timing: {
      after: (_delayMs, run) => {
        next = run;
        return () => {
          next = undefined;
        };
      },
    },
    wallMs: () => clock.nowMs,
    onTotals: (result) => results.push(result),
  });
  stops.push(stop);
  const round = async () => {
    const run = next;
    next = undefined;
    run?.();
    await expect.poll(() => next, { interval: 1 }).toBeDefined();
  };
  return { asked, results, clock, round, stop };
}
const whenDue = now + 2 * windowMs + settleMs;
const silence: LinkAnswer = { kind: "unknown", cause: "timeout" };

describe("the question", () => {
  const book = bookWithOne();
  const [totals] = book.takeDue(whenDue).due;
  if (totals === undefined) throw new Error("one window is due");

  test("fits the dialect and says what we have, of which window", () => {
    const dialect = makeDialect(asciiBinary1987);
    const bytes = Buffer.alloc(1_024);
    const encoded = encodeMessage(dialect, totalsMessage("99900000001", totals, 0), bytes);
    if (encoded.kind === "refused") throw new Error(encoded.fault.reason);
    const decoded = decodeMessage(dialect, bytes.subarray(0, encoded.length));
    if (decoded.kind === "refused") throw new Error(decoded.fault.reason);
    const { mti, fields } = decoded.message;
    expect([mti, ...[74, 75, 76, 77, 81, 86, 87, 88, 89, 50, 41].map((field) => String(fields.get(field)).trim())]).toEqual([
      "0500",
      "0000000000",
      "0000000000",
      "0000000001",
      "0000000000",
      "0000000000",
      "0000000000000000",
      "0000000000000000",
      "0000000000004000",
      "0000000000000000",
      "978",
      "T1",
    ]);
    const data = fields.get(48);
    expect(data instanceof Secret && [textInPrivateData(data, "05"), textInPrivateData(data, "06")]).toEqual(["1121120100", "1121120200"]);
  });

  test("is asked once and told from then on, as the same message", () => {
    const messages = [0, 1, 2, 3].map((attempt) => totalsMessage("99900000001", totals, attempt));
    expect(messages.map(({ mti }) => mti)).toEqual(["0500", "0520", "0521", "0521"]);
    expect(new Set(messages.map(({ fields }) => fields.get(11))).size).toBe(1);
  });

  test.each([
    ["refuses", { 39: "30" }],
    ["is about another terminal", { 41: "T2" }],
    ["is about another currency", { 50: "840" }],
    ["lacks a count", { 76: undefined }],
    ["has a sum that is no number", { 88: "12x4" }],
  ])("has no answer in a reply that %s", (_name, change) => {
    const request = totalsMessage("99900000001", totals, 0);
    const answer = reply(request, change);
    expect(answer.kind === "answered" && readTotals(request, answer.message)).toBe(undefined);
  });
});

describe("a round", () => {
  test("asks when a window is over, once, and tells that both have the same", async () => {
    const { asked, results, clock, round } = start((request) => reply(request));
    await round();
    expect(asked).toEqual([]);
    clock.nowMs = whenDue;
    await round();
    await round();
    expect([asked.length, results.map(({ kind }) => kind)]).toEqual([1, ["balanced"]]);
  });

  test("tells a difference", async () => {
    const { results, clock, round } = start((request) => reply(request, { 76: "0000000002", 88: "0000000008000" }));
    clock.nowMs = whenDue;
    await round();
    expect(results).toMatchObject([{ kind: "different", theirs: { debit: { count: 2, amount: 8_000n } } }]);
  });

  test("tells the processor again what it did not answer, five times in all", async () => {
    const { asked, results, clock, round } = start(() => silence);
    clock.nowMs = whenDue;
    for (let times = 0; times < 8; times++) await round();
    expect(asked.map(({ mti }) => mti)).toEqual(["0500", "0520", "0521", "0521", "0521"]);
    expect(results.map(({ kind }) => kind)).toEqual(["unanswered"]);
  });

  test("waits for a link, and for room on it", async () => {
    let isUp = false;
    let answer: LinkAnswer | undefined = { kind: "not_sent", cause: "queue_full" };
    const { asked, results, clock, round } = start((request) => answer ?? reply(request), { isUp: () => isUp });
    clock.nowMs = whenDue;
    await round();
    expect(asked).toEqual([]);
    isUp = true;
    await round();
    answer = undefined;
    await round();
    expect([asked.map(({ mti }) => mti), results.map(({ kind }) => kind)]).toEqual([["0500", "0500"], ["balanced"]]);
  });

  test("asks about what was sent until a link is back, reversals that the outage held up among it", async () => {
    let isUp = false;
    const book = bookWithOne();
    const { asked, results, clock, round } = start((request) => reply(request), { isUp: () => isUp, book });
    clock.nowMs = whenDue;
    await round();
    const reversal: Counted = { ...operation, kind: "debit_reversal", identity: "2" };
    book.sent(reversal);
    book.ended(reversal, "approved");
    isUp = true;
    await round();
    expect(asked.map(({ fields }) => [fields.get(76), fields.get(77)])).toEqual([["0000000001", "0000000001"]]);
    expect(results.map(({ kind }) => kind)).toEqual(["balanced"]);
  });

  test("asks nothing of a time before the links were handed over and came back", async () => {
    let isUp = false;
    const book = bookWithOne();
    const { asked, results, clock, round } = start((request) => reply(request), { isUp: () => isUp, book });
    clock.nowMs = whenDue;
    await round();
    book.begin(clock.nowMs);
    isUp = true;
    await round();
    expect([asked, results]).toEqual([[], []]);
    // What it counted since is asked about.
    const later = { ...operation, atMs: whenDue + settleMs + windowMs };
    book.sent(later);
    book.ended(later, "approved");
    clock.nowMs = later.atMs + windowMs + settleMs;
    await round();
    expect(results.map(({ kind }) => kind)).toEqual(["balanced"]);
  });

  test("drops a question that was under way at a hand-over, when it stays without an answer", async () => {
    const book = bookWithOne();
    const { asked, clock, round } = start(
      () => {
        book.begin(clock.nowMs);
        return silence;
      },
      { book },
    );
    clock.nowMs = whenDue;
    await round();
    await round();
    expect(asked.map(({ mti }) => mti)).toEqual(["0500"]);
  });

  test("says of how many windows there is nothing to say", async () => {
    const book = new TotalsBook({ windowMs, settleMs, operationsMax: 0 });
    book.begin(now);
    book.sent(operation);
    const { results, clock, round } = start((request) => reply(request), { book });
    clock.nowMs = whenDue;
    await round();
    expect(results).toEqual([{ kind: "given_up", windows: 1 }]);
  });
});
