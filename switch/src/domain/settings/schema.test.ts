/** The parser and the published schema, held against each other. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { required } from "@florin/kernel";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { builtInDocument, builtInLimits } from "./built-in.ts";
import { parseSettings } from "./parse-settings.ts";
import { badSamples, changedAt, removed, sampleBuiltIn, smallestDocument, wholeDocument } from "./samples.ts";
import { settingsSchema } from "./schema.ts";

/** The first JSON block of a document. */
function exampleOf(path: string): unknown {
  const text = readFileSync(join(import.meta.dirname, "../../../..", path), "utf8");
  return JSON.parse(required(/```json\n([\s\S]*?)\n```/.exec(text)?.[1], "a block of JSON"));
}

const fitsSchema = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false }).compile(settingsSchema);
const parse = (json: unknown) => parseSettings(json, { version: 1, limits: builtInLimits(sampleBuiltIn) });
const both = (json: unknown) => ({ parser: parse(json).kind === "parsed", schema: fitsSchema(json) });

test.each([
  ["the smallest", smallestDocument],
  ["one with every field", wholeDocument],
  ["what is built in", builtInDocument(sampleBuiltIn)],
  ["the example of the runbook", exampleOf("docs/operations/settings.md")],
])("%s is taken by the parser and by the schema", (_name, document) => {
  expect(parse(document)).toMatchObject({ kind: "parsed" });
  expect(both(document)).toEqual({ parser: true, schema: true });
});

describe("the parser refuses, with the path, and the schema as far as it can say it:", () => {
  test.each(badSamples)("$what", ({ place, value, path, isBeyondSchema = false }) => {
    const document = changedAt(wholeDocument, place, value);
    const answer = parse(document);
    expect(answer.kind === "invalid" ? answer.problems : []).toContainEqual({ path, problem: expect.any(String) });
    expect(fitsSchema(document)).toBe(isBeyondSchema);
  });
});

/** Every place of a document, down to each value. */
function placesOf(value: unknown, above: readonly (string | number)[] = []): readonly (readonly (string | number)[])[] {
  if (typeof value !== "object" || value === null) return [];
  const names = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return names.flatMap((name) => [[...above, name], ...placesOf((value as Record<string | number, unknown>)[name], [...above, name])]);
}

test("whatever stands anywhere: the schema never refuses what the parser takes", () => {
  const place = fc.constantFrom(...placesOf(wholeDocument));
  const value = fc.oneof(
    fc.constantFrom<unknown>(removed, null, true, "", "any", "EUR", "simpay", 0, 1, 0.5, -1, 1e15, [], {}, ["EUR"], { min: 1, max: 2 }),
    fc.jsonValue(),
  );
  let taken = 0;
  let refused = 0;
  fc.assert(
    fc.property(place, value, (at, put) => {
      const { parser, schema } = both(changedAt(wholeDocument, at, put));
      if (parser) {
        taken += 1;
        expect(schema).toBe(true);
      } else refused += 1;
    }),
    { numRuns: 2_000 },
  );
  expect(taken).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(500);
});
