import { idTimeMs, isId } from "@florin/kernel";
import { expect, test } from "vitest";
import { nextRequestId } from "./request-id.ts";

test("request ids are ids of the kernel, carry their time and do not repeat", () => {
  const ids = Array.from({ length: 5_000 }, (_, index) => nextRequestId(1_795_239_476_000 + (index >> 4)));
  expect(new Set(ids).size).toBe(ids.length);
  for (const [index, id] of ids.entries()) {
    expect(isId("request", id)).toBe(true);
    expect(idTimeMs(id)).toBe(1_795_239_476_000 + (index >> 4));
  }
});

test("every random character occurs", () => {
  const seen = new Set(Array.from({ length: 500 }, () => nextRequestId().slice(-16)).join(""));
  expect(seen.size).toBe(32);
});
