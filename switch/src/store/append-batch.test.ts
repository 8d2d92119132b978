import { describe, expect, test } from "vitest";
import { createPayment } from "../domain/payment/index.ts";
import { sampleCreate, sampleNowMs, sampleOrigin } from "../domain/payment/samples.ts";
import { lessonOf, type Member, nextRound } from "./append-batch.ts";

function member(o: { id?: string; key?: string; reference?: string } = {}): Member {
  const command = sampleCreate({
    id: `pay_${(o.id ?? "a").padStart(26, "0")}`,
    merchantReference: o.reference ?? "",
    uniqueReference: o.reference !== undefined,
  });
  const transition = createPayment(command, { nowMs: sampleNowMs, origin: sampleOrigin });
  const claim = o.key === undefined ? undefined : { key: o.key, requestHash: Buffer.alloc(32) };
  return { transition, claim };
}

const round = (members: readonly Member[]) =>
  nextRound(
    members,
    members.map((_, place) => place),
  );

describe("a round of appending", () => {
  test("takes members in the order of their keys, so that two batches lock alike", () => {
    const members = [member({ id: "c", key: "k2" }), member({ id: "a", key: "k1" }), member({ id: "b" })];
    expect(round(members)).toEqual({ going: [2, 1, 0], waiting: [] });
  });

  test("lets the second of one key, one row or one reference wait for the first", () => {
    const keys = round([member({ id: "a", key: "k" }), member({ id: "b", key: "k" })]);
    expect(keys).toEqual({ going: [0], waiting: [{ place: 1, behind: 0, wish: "key" }] });
    const rows = round([member({ id: "a", key: "k1" }), member({ id: "a", key: "k2" })]);
    expect(rows.waiting).toEqual([{ place: 1, behind: 0, wish: "row" }]);
    const references = round([member({ id: "a", key: "k1", reference: "r" }), member({ id: "b", key: "k2", reference: "r" })]);
    expect(references.waiting).toEqual([{ place: 1, behind: 0, wish: "reference" }]);
  });

  test("tells who waits what it can know, and sends it itself otherwise", () => {
    const waiting = { place: 1, behind: 0 } as const;
    expect(lessonOf({ ...waiting, wish: "key" }, "appended")).toBe("key_taken");
    expect(lessonOf({ ...waiting, wish: "key" }, "conflict")).toBeUndefined();
    expect(lessonOf({ ...waiting, wish: "row" }, "conflict")).toBe("conflict");
    expect(lessonOf({ ...waiting, wish: "row" }, "key_taken")).toBeUndefined();
    expect(lessonOf({ ...waiting, wish: "reference" }, "appended")).toBe("reference_taken");
  });
});
