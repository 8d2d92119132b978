import { describe, expect, test } from "vitest";
import type { FieldValue, IsoMessage } from "../codec/message.ts";
import { responseCodes1987 } from "../response-table.ts";
import { writePrivateData } from "./private-data.ts";
import { type Asked, noOriginalBelievedAfterMs, readReply } from "./read-reply.ts";

const of = (mti: string, fields: Readonly<Record<number, FieldValue>>): IsoMessage => ({
  mti,
  fields: new Map(Object.entries(fields).map(([field, value]) => [Number(field), value])),
});
const request = of("0100", { 3: "000000", 4: "000000001000", 11: "000001", 49: "978" });
const echo = { 3: "000000", 4: "000000001000", 11: "000001", 37: "632512345678", 49: "978" };
const authorization: Asked = { kind: "authorization" };
const read = (more: Readonly<Record<number, FieldValue>>, asked: Asked = authorization) =>
  readReply(request, of("0110", { ...echo, ...more }), asked);

test("an approval carries the processor's words", () => {
  const data = writePrivateData([
    { tag: "83", value: "Z" },
    { tag: "87", value: "N" },
  ]);
  expect(read({ 38: "ABC123", 39: "00", 48: data })).toEqual({
    kind: "approved",
    isFinal: true,
    words: { processorReference: "632512345678", responseCode: "00", authCode: "ABC123", avs: "partial", cvv: "mismatch" },
  });
});

test("a decline has our reason", () => expect(read({ 39: "51" })).toMatchObject({ kind: "declined", reason: "insufficient_funds" }));

describe("is unknown", () => {
  test.each([
    ["another amount", { 4: "000000000999", 39: "00" }, "answer_mismatch"],
    ["another currency", { 39: "00", 49: "840" }, "answer_mismatch"],
    ["another kind of operation", { 3: "200000", 39: "00" }, "answer_mismatch"],
    ["a decline of another amount", { 4: "000000000999", 39: "51" }, "answer_mismatch"],
    ["part of the amount", { 39: "10" }, "unmapped_response"],
    ["a code without a meaning", { 39: "ZZ" }, "unmapped_response"],
    ["a duplicate", { 39: "94" }, "key_reused"],
    ["a reply without a code", {}, "garbage"],
    ["a reply with a blank code", { 39: "" }, "garbage"],
  ] as const)("%s", (_name, more, cause) => expect(read(more)).toMatchObject({ kind: "unknown", cause }));
});

test("fields that the reply leaves out contradict nothing", () => {
  expect(readReply(request, of("0110", { 11: "000001", 39: "00" }), authorization)).toMatchObject({
    kind: "approved",
    words: { avs: "", cvv: "", authCode: "" },
  });
});

describe.each([
  ["it could not be looked at just now", "moment", "processor_fault", ["19", "90", "91", "92"]],
  ["the host broke down", "breakdown", "processor_fault", ["06", "96"]],
  ["the request was refused at the door", "request", "turned_away", ["03", "30", "40", "58", "63"]],
] as const)("that %s", (_what, about, cause, codes) => {
  const nos = Object.entries(responseCodes1987).flatMap(([code, meaning]) =>
    meaning.kind === "declined" && meaning.about === about ? [[code, meaning.reason] as const] : [],
  );
  const sentAs = (mti: string, processingCode: string) => of(mti, { 3: processingCode, 4: "000000001000", 11: "000001", 49: "978" });
  const repeated: readonly (readonly [string, IsoMessage, string, Asked])[] = [
    ["capture", sentAs("0220", "000000"), "0230", { kind: "movement" }],
    ["void", sentAs("0400", "000000"), "0410", { kind: "movement" }],
    ["refund", sentAs("0200", "200000"), "0210", { kind: "movement" }],
    ["young reversal", sentAs("0420", "000000"), "0430", { kind: "reversal", askedForMs: 0 }],
    ["old reversal", sentAs("0421", "000000"), "0430", { kind: "reversal", askedForMs: noOriginalBelievedAfterMs }],
  ];

  test("is what these codes say", () => expect(nos.map(([code]) => code).toSorted()).toEqual(codes));

  test.each(repeated)("ends no %s: copies of it may be carried out", (_name, sent, mti, asked) => {
    for (const [code] of nos)
      expect(readReply(sent, { mti, fields: new Map(sent.fields).set(39, code) }, asked)).toMatchObject({
        kind: "unknown",
        cause,
        words: { responseCode: code },
      });
    expect(readReply(sent, { mti, fields: new Map(sent.fields).set(39, "21") }, asked).kind).toBe("declined");
  });

  test("declines an authorization, which is asked once", () => {
    for (const [code, reason] of nos) expect(read({ 39: code })).toMatchObject({ kind: "declined", reason });
  });
});

describe("that there is no such operation", () => {
  test("refuses what refers to it", () =>
    expect(read({ 39: "25" }, { kind: "movement" })).toMatchObject({ kind: "declined", reason: "transaction_not_allowed" }));

  test.each([
    [0, "unknown"],
    [noOriginalBelievedAfterMs - 1, "unknown"],
    [noOriginalBelievedAfterMs, "approved"],
  ])("ends a reversal that has been asked for %i ms: %s", (askedForMs, kind) => {
    expect(read({ 39: "25" }, { kind: "reversal", askedForMs }).kind).toBe(kind);
  });

  test("a refused reversal is a decline", () =>
    expect(read({ 39: "21" }, { kind: "reversal", askedForMs: 0 })).toMatchObject({ kind: "declined" }));
});
