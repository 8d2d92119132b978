import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dataPlace, isApart, makeDataPlace } from "./data-place.ts";
import { makePlace, wipePlace } from "./place.ts";

let home: string;
let directory: string;
let apart: string;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "florin-home-")));
  chmodSync(home, 0o755);
  directory = join(home, "user", ".florin");
  apart = join(home, "var", "lib", "florin");
  makePlace(directory);
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

/** As initdb leaves it. */
function fill(place: string): void {
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "PG_VERSION"), "18\n");
  writeFileSync(`${place}.password`, "secret\n");
}

test("data stands in the stack's directory", () => {
  const place = makeDataPlace(directory, apart);
  expect([place, isApart(place, directory)]).toEqual([join(directory, "postgres"), false]);
  expect(existsSync(apart)).toBe(false);
});

// Only root's PostgreSQL runs as another account.
describe.runIf(process.getuid?.() === 0)("below a closed home, under root,", () => {
  beforeEach(() => chmodSync(join(home, "user"), 0o700));

  test("data stands apart, and is found again after the home was opened", () => {
    const place = makeDataPlace(directory, apart);
    expect([isApart(place, directory), place.startsWith(`${apart}/`), statSync(apart).mode & 0o777]).toEqual([true, true, 0o755]);
    expect(dataPlace(directory)).toBe(place);
    fill(place);
    chmodSync(join(home, "user"), 0o755);
    expect(makeDataPlace(directory, apart)).toBe(place);
  });

  test("a fresh start wipes the data that stands apart, and its password", () => {
    const place = makeDataPlace(directory, apart);
    fill(place);
    wipePlace(directory);
    expect([readdirSync(apart), dataPlace(directory)]).toEqual([[], undefined]);
  });

  test("a directory that was removed and made again does not inherit data whose keys are gone, and that data goes", () => {
    const before = makeDataPlace(directory, apart);
    fill(before);
    rmSync(directory, { recursive: true });
    makePlace(directory);
    const after = makeDataPlace(directory, apart);
    fill(after);
    expect(after).not.toBe(before);
    expect(readdirSync(apart).sort()).toEqual([after, `${after}.password`].map((path) => path.slice(apart.length + 1)));
  });

  test("data that a server may still hold is left alone, and so is that of other directories", () => {
    const before = makeDataPlace(directory, apart);
    fill(before);
    writeFileSync(join(before, "postmaster.pid"), "1\n");
    fill(join(apart, "0123456789abcdef-01234567"));
    rmSync(directory, { recursive: true });
    makePlace(directory);
    makeDataPlace(directory, apart);
    expect(readdirSync(apart)).toHaveLength(4);
  });
});

test("a directory that holds other things keeps its mode", () => {
  const own = join(home, "own");
  mkdirSync(own, { mode: 0o755 });
  writeFileSync(join(own, "letter.txt"), "mine");
  makePlace(own);
  expect(statSync(own).mode & 0o777).toBe(0o755);
  expect(statSync(join(own, "logs")).mode & 0o777).toBe(0o700);
});
