import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { noteDuration, renderDuration } from "./durations.ts";

const folder = mkdtempSync(join(tmpdir(), "florin-durations-"));
afterEach(() => void vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a duration is one line that sorts by its seconds", () => {
  expect(renderDuration("file", "switch/test/relay.test.ts", 13_449)).toBe("13.4\tfile\tswitch/test/relay.test.ts");
  expect(renderDuration("step", "two\nlines\tand a tab", 50)).toBe("0.1\tstep\ttwo lines and a tab");
});

test("durations are collected where the caller says, and nowhere else", () => {
  const file = join(folder, "durations");
  vi.stubEnv("FLORIN_DURATIONS_FILE", file);
  noteDuration("step", "one", 1_000);
  noteDuration("step", "two", 2_000);
  vi.stubEnv("FLORIN_DURATIONS_FILE", "");
  noteDuration("step", "three", 3_000);
  expect(readFileSync(file, "utf8")).toBe("1.0\tstep\tone\n2.0\tstep\ttwo\n");
});
