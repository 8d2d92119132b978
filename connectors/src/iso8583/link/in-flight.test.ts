import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IsoMessage } from "../codec/message.ts";
import { InFlight, traceOf } from "./in-flight.ts";
import { createTraceNumbers, formatStan } from "./trace-numbers.ts";

const message = (mti: string, stan: string, terminal: string, more: Readonly<Record<number, string>> = {}): IsoMessage => ({
  mti,
  fields: new Map([
    [11, stan],
    ...(terminal === "" ? [] : [[41, terminal] as const]),
    ...Object.entries(more).map(([field, text]) => [Number(field), text] as const),
  ]),
});
const echoed = [7, 37];
const table = (change: Partial<{ inFlightMax: number; rememberedMs: number; rememberedMax: number }> = {}) =>
  new InFlight<string>({ inFlightMax: 100, rememberedMs: 1_000, rememberedMax: 100, ...change });
const add = (requests: InFlight<string>, of: IsoMessage, name: string, deadlineMs = 100) =>
  requests.add(traceOf(of, echoed), name, deadlineMs);

describe("a reply", () => {
  test("is told by class, trace number and terminal", () => {
    const requests = table();
    add(requests, message("0100", "000001", "T1"), "authorization");
    add(requests, message("0400", "000001", "T1"), "void");
    add(requests, message("0100", "000001", "T2"), "other terminal");
    expect(requests.recognise(message("0410", "000001", "T1"), 0)).toEqual({ kind: "answer", request: "void" });
    expect(requests.recognise(message("0110", "000001", "T2"), 0)).toEqual({ kind: "answer", request: "other terminal" });
    expect(requests.recognise(message("0110", "000002", "T1"), 0)).toEqual({ kind: "stray" });
    expect(requests.recognise(message("0110", "000001", "T1"), 0)).toEqual({ kind: "answer", request: "authorization" });
    expect(requests.size).toBe(0);
  });

  test("to a repetition is the answer, and one of an advice to an advice", () => {
    const requests = table();
    add(requests, message("0421", "000009", "T1"), "reversal");
    expect(requests.recognise(message("0430", "000009", "T1"), 0)).toEqual({ kind: "answer", request: "reversal" });
  });

  test("without a terminal belongs to the only request with its number", () => {
    const requests = table();
    add(requests, message("0100", "000001", "T1"), "first");
    add(requests, message("0100", "000001", "T2"), "second");
    expect(requests.recognise(message("0110", "000001", ""), 0)).toEqual({ kind: "stray" });
    requests.recognise(message("0110", "000001", "T2"), 0);
    expect(requests.recognise(message("0110", "000001", ""), 0)).toEqual({ kind: "answer", request: "first" });
  });

  test("that repeats another transmission time or retrieval reference is not its reply", () => {
    const requests = table();
    add(requests, message("0100", "000001", "T1", { 7: "1121120000", 37: "AAAAAAAAAAAA" }), "request");
    expect(requests.recognise(message("0110", "000001", "T1", { 37: "BBBBBBBBBBBB" }), 0)).toEqual({ kind: "stray" });
    expect(requests.recognise(message("0110", "000001", "T1", { 7: "1121120001" }), 0)).toEqual({ kind: "stray" });
    expect(requests.recognise(message("0110", "000001", "T1", { 7: "1121120000" }), 0)).toEqual({ kind: "answer", request: "request" });
  });

  test("that comes twice is a duplicate, and one that comes late is late once", () => {
    const requests = table();
    add(requests, message("0100", "000001", "T1"), "answered");
    add(requests, message("0100", "000002", "T1"), "overdue", 50);
    requests.recognise(message("0110", "000001", "T1"), 10);
    expect(requests.recognise(message("0110", "000001", "T1"), 20)).toEqual({ kind: "duplicate" });
    expect(requests.expire(49)).toEqual([]);
    expect(requests.expire(50)).toEqual(["overdue"]);
    expect(requests.recognise(message("0110", "000002", "T1"), 60)).toEqual({ kind: "late", request: "overdue" });
    expect(requests.recognise(message("0110", "000002", "T1"), 70)).toEqual({ kind: "duplicate" });
  });

  test("that is late is not the answer to the next request with its number", () => {
    const requests = table();
    add(requests, message("0100", "000001", "T1", { 37: "AAAAAAAAAAAA" }), "first", 50);
    requests.expire(50);
    add(requests, message("0100", "000001", "T1", { 37: "BBBBBBBBBBBB" }), "second", 500);
    expect(requests.recognise(message("0110", "000001", "T1", { 37: "AAAAAAAAAAAA" }), 60)).toEqual({ kind: "late", request: "first" });
    expect(requests.recognise(message("0110", "000001", "T1", { 37: "BBBBBBBBBBBB" }), 61)).toEqual({ kind: "answer", request: "second" });
  });

  test("that may be to an earlier request with its number, and repeats nothing that tells them apart, is nobody's", () => {
    for (const marks of [
      [{}, {}],
      [{ 37: "AAAAAAAAAAAA" }, { 37: "BBBBBBBBBBBB" }],
    ] as const) {
      const requests = table();
      add(requests, message("0100", "000001", "T1", marks[0]), "first", 50);
      requests.expire(50);
      add(requests, message("0100", "000001", "T1", marks[1]), "second", 500);
      expect(requests.recognise(message("0110", "000001", "T1"), 60)).toEqual({ kind: "stray" });
      expect(requests.size).toBe(1);
      expect(requests.recognise(message("0110", "000001", "T1"), 1_051)).toEqual({ kind: "answer", request: "second" });
    }
  });

  test("to what was sent again, and in vain before, is its answer: both ask for the same", () => {
    const requests = table();
    const marks = { 7: "1121120000", 37: "AAAAAAAAAAAA" };
    for (const turn of [1, 2, 3]) {
      add(requests, message("0420", "000001", "T1", marks), `turn ${turn}`, turn * 50);
      if (turn < 3) requests.expire(turn * 50);
    }
    expect(requests.recognise(message("0430", "000001", "T1"), 110)).toEqual({ kind: "answer", request: "turn 3" });
  });

  test("is forgotten after a while", () => {
    const requests = table({ rememberedMs: 1_000 });
    add(requests, message("0100", "000001", "T1"), "overdue", 50);
    requests.expire(50);
    requests.expire(1_050);
    expect(requests.recognise(message("0110", "000001", "T1"), 1_051)).toEqual({ kind: "stray" });
  });
});

describe("bounds", () => {
  test("the same number at the same terminal has to wait for its end", () => {
    const requests = table();
    expect(add(requests, message("0100", "000001", "T1"), "first")).toBe("added");
    expect(add(requests, message("0100", "000001", "T1"), "second")).toBe("clash");
    requests.recognise(message("0110", "000001", "T1"), 0);
    expect(add(requests, message("0100", "000001", "T1"), "second")).toBe("added");
  });

  test("no more than the limit are under way, and no more than the limit are remembered", () => {
    const requests = table({ inFlightMax: 3, rememberedMax: 2 });
    const numbers = ["000001", "000002", "000003"];
    for (const stan of numbers) expect(add(requests, message("0100", stan, "T1"), stan)).toBe("added");
    expect(add(requests, message("0100", "000004", "T1"), "too many")).toBe("full");
    requests.expire(100);
    expect(numbers.map((stan) => requests.recognise(message("0110", stan, "T1"), 101).kind)).toEqual(["stray", "late", "late"]);
  });

  test("an echo goes out where payments have taken every place", () => {
    const requests = table({ inFlightMax: 1 });
    add(requests, message("0100", "000001", "T1"), "payment");
    expect(add(requests, message("0800", "000002", ""), "echo")).toBe("added");
    expect(add(requests, message("0100", "000003", "T1"), "payment")).toBe("full");
    expect(requests.recognise(message("0810", "000002", ""), 1)).toEqual({ kind: "answer", request: "echo" });
  });

  test("what was not sent is not under way and has no late reply", () => {
    const requests = table();
    const trace = traceOf(message("0100", "000001", "T1"), echoed);
    requests.add(trace, "unsent", 100);
    requests.withdraw(trace);
    requests.withdraw(trace);
    expect(requests.size).toBe(0);
    expect(requests.recognise(message("0110", "000001", "T1"), 0)).toEqual({ kind: "stray" });
  });
});

test("however replies come (late, twice, in any order, lost with a link), each request ends once", () => {
  const anyStep = fc.record({ what: fc.constantFrom("send", "reply", "reply", "time", "lose"), which: fc.nat(30), passedMs: fc.nat(60) });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 150 }), (steps) => {
      const requests = new InFlight<number>({ inFlightMax: 12, rememberedMs: 300, rememberedMax: 20 });
      const sent: IsoMessage[] = [];
      const ended = new Map<number, number>();
      const end = (request: number) => ended.set(request, (ended.get(request) ?? 0) + 1);
      const waiting = new Set<number>();
      let nowMs = 0;
      for (const { what, which, passedMs } of steps) {
        nowMs += passedMs;
        if (what === "send") {
          // Few numbers, so that they clash; each has a reference of its own.
          const request = message("0100", formatStan(1 + (which % 8)), `T${which % 2}`, { 37: String(sent.length).padStart(12, "0") });
          if (requests.add(traceOf(request, echoed), sent.length, nowMs + 100) === "added") waiting.add(sent.length);
          sent.push(request);
        }
        const of = sent[which];
        if (what === "reply" && of !== undefined) {
          const recognised = requests.recognise({ mti: "0110", fields: of.fields }, nowMs);
          if (recognised.kind === "answer") {
            expect(recognised.request).toBe(which);
            end(which);
          }
          if (recognised.kind === "late") expect(recognised.request).toBe(which);
        }
        if (what === "time") for (const request of requests.expire(nowMs)) end(request);
        if (what === "lose") for (const request of requests.lose((one) => one % 2 === 0, nowMs)) end(request);
        expect(requests.size).toBeLessThanOrEqual(12);
      }
      for (const request of requests.expire(nowMs + 1_000)) end(request);
      expect([...ended.keys()].toSorted()).toEqual([...waiting].toSorted());
      for (const times of ended.values()) expect(times).toBe(1);
    }),
  );
});

test("trace numbers run from 1 to 999999 and round again, past those under way", () => {
  const numbers = createTraceNumbers(999_998);
  const taken = new Set(["999999", "000001"]);
  expect([1, 2, 3].map(() => numbers.next((stan) => taken.has(stan)))).toEqual(["999998", "000002", "000003"]);
  expect(numbers.next(() => true)).toBeUndefined();
});
