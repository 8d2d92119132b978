import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { gatherFailures, noteFailure, renderFailure } from "./failures.ts";

const folder = mkdtempSync(join(tmpdir(), "florin-failures-test-"));
afterEach(() => void vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a failure is its title and the first lines of its reason, without colours", () => {
  expect(renderFailure("a.test.ts › adds", "expected \u001b[32m1\u001b[39m\n\nto be 2\n")).toBe(
    "FAILED a.test.ts › adds\n  expected 1\n\n  to be 2",
  );
  const long = renderFailure("long", Array.from({ length: 40 }, (_, line) => `line ${line}`).join("\n"));
  expect(long.split("\n")).toHaveLength(14);
  expect(long).toMatch(/line 11\n {2}…$/);
});

test("failures are gathered in the caller's file, which stays; told are those from there on", () => {
  const file = join(folder, "failures");
  vi.stubEnv("FLORIN_FAILURES_FILE", file);
  noteFailure("one", "why");
  const gathered = gatherFailures();
  expect(gathered.text()).toBe("");
  noteFailure("two", "because");
  expect(gathered.text()).toBe("FAILED two\n  because");
  gathered.close();
  expect(readFileSync(file, "utf8")).toBe("FAILED one\n  why\nFAILED two\n  because\n");
});

test("where nobody asked for a file, nothing stays behind, and nothing is noted afterwards", () => {
  vi.stubEnv("FLORIN_FAILURES_FILE", "");
  const gathered = gatherFailures();
  const file = String(process.env["FLORIN_FAILURES_FILE"]);
  noteFailure("one", "why");
  expect(gathered.text()).toBe("FAILED one\n  why");
  gathered.close();
  noteFailure("two", "because");
  expect(existsSync(file)).toBe(false);
});
