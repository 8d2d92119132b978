/** A planted bug must not rot: each still fits the code, and what it makes of it still is a program. */
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { guardedTwice } from "./catalogue/guarded-twice.ts";
import { mutants } from "./catalogue/index.ts";
import { edited, editsOf } from "./mutant.ts";

const rootFolder = fileURLToPath(new URL("../..", import.meta.url));
const mutantsMin = 30;
const all = [...mutants, ...guardedTwice];

test("there are enough of them, and no two share a name", () => {
  expect(mutants.length).toBeGreaterThanOrEqual(mutantsMin);
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  for (const { name } of all) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
});

describe.each(all)("$name", (mutant) => {
  test("replaces one place of the code by something else, and the result is a program", () => {
    for (const edit of editsOf(mutant)) {
      const text = readFileSync(join(rootFolder, edit.file), "utf8");
      const changed = edited(text, edit);
      expect(changed).not.toBe(text);
      // Throws on what does not parse.
      stripTypeScriptTypes(changed);
    }
  });
});

test("a text that is not there, or is there twice, is refused", () => {
  expect(() => edited("a b", { file: "x.ts", find: "c", replace: "" })).toThrow("0 times");
  expect(() => edited("a b a", { file: "x.ts", find: "a", replace: "" })).toThrow("2 times");
  expect(edited("a b", { file: "x.ts", find: "a", replace: "$&" })).toBe("$& b");
});
