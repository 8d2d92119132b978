import { declineReasons, isDeclineReason } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { unknownCauses } from "../contract/outcome.ts";
import { actionCodes1993, type Meaning, meaningOf, responseCodes1987 } from "./response-table.ts";

const codes = (from: number, to: number, digits: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index).padStart(digits, "0"));

describe("1987", () => {
  /** What the standard gives a meaning; 45 to 50, 69 to 74, 76 to 89 and 97 to 99 are reserved for others. */
  const standard = [...codes(0, 44, 2), ...codes(51, 68, 2), "75", ...codes(90, 96, 2)];
  /** Of the ranges for private use, as Visa publishes them. */
  const extra = ["46", "82", "1A", "N7", "R0", "R1", "R3"];

  test("every code of the standard has a meaning, and nothing else has", () => {
    expect(Object.keys(responseCodes1987).toSorted()).toEqual([...standard, ...extra].toSorted());
  });

  test("of all codes that fit the field only these are approvals", () => {
    const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ";
    const all = [...alphabet].flatMap((first) => [...alphabet].map((second) => first + second));
    const of = (kind: Meaning["kind"]) => all.filter((code) => meaningOf("1987", code).kind === kind);
    expect(of("approved")).toEqual(["00", "11", "16"]);
    expect(of("no_original")).toEqual(["25"]);
    expect(of("declined").length + of("unknown").length).toBe(all.length - 4);
    // Each decline is one of the table: a code that nobody listed is none.
    for (const code of of("declined")) expect(Object.keys(responseCodes1987)).toContain(code);
  });

  test("what may have moved money is not a decline", () => {
    for (const code of ["08", "09", "10", "20", "22", "32", "68", "94"]) expect(meaningOf("1987", code).kind).toBe("unknown");
  });
});

const nosAbout = (table: Readonly<Record<string, Meaning>>, about: "moment" | "breakdown" | "request") =>
  Object.entries(table)
    .filter(([, meaning]) => meaning.kind === "declined" && meaning.about === about)
    .map(([code]) => code)
    .toSorted();

test("temporary is what the host, the issuer or the way to it could not look at: the same codes in both versions", () => {
  expect(nosAbout(responseCodes1987, "moment")).toEqual(["19", "90", "91", "92"]);
  expect(nosAbout(actionCodes1993, "moment")).toEqual(["903", "906", "907", "908", "910", "912", "915"]);
});

test("a breakdown is the host's own fault, which may have come after its booking", () => {
  expect(nosAbout(responseCodes1987, "breakdown")).toEqual(["06", "96"]);
  expect(nosAbout(actionCodes1993, "breakdown")).toEqual(["909"]);
});

test("refused at the door is a form, a code of authentication, a merchant or a terminal that the host does not like", () => {
  expect(nosAbout(responseCodes1987, "request")).toEqual(["03", "30", "40", "58", "63"]);
  const keysAndForms = ["904", "916", "917", "918", "919", "920", "921", "922"];
  expect(nosAbout(actionCodes1993, "request")).toEqual(["109", "115", "120", "904", "905", ...keysAndForms.slice(1)]);
});

describe("1993", () => {
  const standard = [...[...codes(0, 7, 3), ...codes(100, 129, 3), ...codes(200, 210, 3), "400", "800"], ...codes(902, 923, 3)];

  test("every code of the standard has a meaning, and nothing else has", () => {
    expect(Object.keys(actionCodes1993).toSorted()).toEqual(standard.toSorted());
  });

  test("only codes of the approving range, and the answers to reversals and network messages, are approvals", () => {
    const approvals = codes(0, 999, 3).filter((code) => meaningOf("1993", code).kind === "approved");
    expect(approvals).toEqual(["000", "003", "004", "005", "007", "400", "800"]);
  });

  test("a picked-up card is never told to try again", () => {
    for (const code of codes(200, 210, 3)) {
      const meaning = meaningOf("1993", code);
      expect(meaning.kind === "declined" && declineReasons[meaning.reason].declineCode).toBe("do_not_retry");
    }
  });
});

test("reasons and causes are those of the contract", () => {
  for (const meaning of [...Object.values(responseCodes1987), ...Object.values(actionCodes1993)] as Meaning[]) {
    if (meaning.kind === "declined") expect(isDeclineReason(meaning.reason)).toBe(true);
    if (meaning.kind === "unknown") expect(Object.keys(unknownCauses)).toContain(meaning.cause);
  }
});

test.each(["", "0", "000", "toString", "__proto__", "constructor", " 0"])("%j is unknown in 1987", (code) => {
  expect(meaningOf("1987", code)).toEqual({ kind: "unknown", cause: "unmapped_response" });
});
