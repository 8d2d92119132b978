/** Tables of different connectors beside each other: the trade's codes mean the same wherever they come from. */
import { expect, test } from "vitest";
import { meaningOf } from "../src/iso8583/response-table.ts";
import { operationMeanings } from "../src/simpay/response-table.ts";

/** simpay's test cards give 05 where no reason is told. */
const differing = new Set(["05"]);
const declines = Object.entries(operationMeanings)
  .map(([key, meaning]) => [key.split(" ") as [string, string], meaning] as const)
  .filter(([[status, code]]) => status === "declined" && !differing.has(code));

test.each(declines.map(([[, code], meaning]) => [code, meaning] as const))("simpay's %s is what ISO 8583 calls it", (code, meaning) => {
  const iso: unknown = meaningOf("1987", code);
  expect(iso).toMatchObject(meaning);
});
