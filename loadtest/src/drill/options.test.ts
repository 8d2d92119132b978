import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { rootFolder } from "../stack/own-stack.ts";
import { linkNames } from "./drill-stack.ts";
import { faults } from "./faults/fault-table.ts";
import { crashPoints } from "./faults/process-faults.ts";
import { readDrillOptions } from "./options.ts";

const read = (...words: string[]) => readDrillOptions(words, { faults, seed: 7 });

describe("the words of a drill", () => {
  test("without any: every fault, and a seed that is told", () => {
    expect(read()).toMatchObject({ isShort: false, seed: 7, keepsData: false });
    expect(read().faults).toEqual(faults);
  });

  test("--only takes names and beginnings of names, --seed a number", () => {
    expect(read("--only", "crash_after_send", "--only", "redis").faults.map(({ name }) => name)).toEqual([
      "crash_after_send",
      "redis_flushall",
      "redis_stopped",
      "redis_killed",
      "redis_restarted_empty",
    ]);
    expect(read("--seed", "42").seed).toBe(42);
  });

  test.each([[["--only", "nothing"]], [["--seed", "x"]], [["--seed", "-1"]], [["--sort"]]])("%s is refused with the usage", (words) => {
    expect(() => read(...words)).toThrow(/no fault's name|npm run drill/);
  });
});

describe("the table of faults", () => {
  test("names every fault once, and has all anchors of the drill", () => {
    expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
    expect([...new Set(faults.map(({ anchor }) => anchor))].sort()).toEqual(["C1", "C10", "C2", "C4", "C6", "C7", "C8", "C9"]);
  });

  test("knows the crash points that the switch has, but the one that only a second processor leads to", () => {
    const line = readFileSync(join(rootFolder, "docs", "configuration.md"), "utf8").match(/`FLORIN_CRASH_POINT` \| ([^`]*) \|/)?.[1] ?? "";
    const known = line.split(" \\| ").map((word) => word.split(" |")[0]);
    // Its test is switch/test/crash-points.test.ts.
    expect(known.filter((point) => point !== "after_reroute_commit")).toEqual(["none", ...crashPoints]);
  });

  test("the short drill has each fault but those that are one kind on another link, and every link", () => {
    const short = read("--short").faults.map(({ name }) => name);
    const left = faults.filter(({ name }) => !short.includes(name)).map(({ name }) => name);
    // The arming of a crash point is a kill of the switch.
    expect(left.filter((name) => !name.startsWith("net_"))).toEqual(["kill_switch"]);
    const kindOf = (name: string) => linkNames.reduce((kind, link) => kind.replace(`_${link}`, ""), name);
    const kinds = new Set(faults.filter(({ name }) => name.startsWith("net_")).map(({ name }) => kindOf(name)));
    expect(new Set(short.filter((name) => name.startsWith("net_")).map(kindOf))).toEqual(kinds);
    for (const link of linkNames) expect(short.some((name) => name.endsWith(link))).toBe(true);
  });
});
