import { describe, expect, test } from "vitest";
import { readConnectorName } from "./connector-name.ts";

test("a name has three spellings", () => {
  expect(readConnectorName("north_bank2", [])).toEqual({ plain: "north_bank2", pascal: "NorthBank2", upper: "NORTH_BANK2" });
});

describe("is refused with a sentence that says what to do", () => {
  test.each(["", "ab", "North", "north-bank", "north__bank", "_north", "north_", "1north", "../x", "north bank", "n".repeat(31), "nörd"])(
    "%j, which is no name",
    (text) => {
      expect(readConnectorName(text, [])).toEqual({ problem: expect.stringContaining("lower-case letters") });
    },
  );

  test.each(["app", "contract", "http1", "callbacks", "acme"])("%j, which is a room", (text) => {
    expect(readConnectorName(text, [])).toEqual({ problem: expect.stringContaining("name of a room") });
  });

  test("one that there is", () => {
    expect(readConnectorName("simpay", ["simpay"])).toEqual({ problem: expect.stringContaining("not used again") });
  });
});
