/** The settings as an operator changes them: `florin settings` against a whole stack, from the first look to the way back. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UpFile } from "../up/state-files.ts";
import { authorize, down, type Finished, runCommandLine, up } from "./command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "florin-settings-"));
const file = join(directory, "settings.json");
let stack: UpFile;

beforeAll(async () => {
  stack = await up(directory);
});
afterAll(async () => {
  await down(directory);
  rmSync(directory, { recursive: true, force: true });
});

const settings = (...words: readonly string[]): Promise<Finished> => runCommandLine(["settings", ...words, "--directory", directory]);
type Document = { version: number; processors: { name: string; enabled: boolean; currencies: unknown }[]; limits: Record<string, unknown> };
const read = () => JSON.parse(readFileSync(file, "utf8")) as Document;
const write = (document: unknown) => writeFileSync(file, JSON.stringify(document));

test("an operator looks, checks, changes, compares, and goes back; payments follow", async () => {
  const first = await settings("get");
  expect(first.code).toBe(0);
  writeFileSync(file, first.output);
  expect(read()).toMatchObject({ version: 0, processors: [{ name: "simpay" }] });
  expect((await authorize(stack)).status).toBe(201);

  const [simpay] = read().processors;
  write({ ...read(), processors: [{ ...simpay, name: "nobody", currencies: ["EURO"], password: "hunter2" }], limit: {} });
  const wrong = await settings("check", file);
  expect(wrong.code).toBe(1);
  for (const path of [/^processors\[0\]\.currencies: must be any/m, /^processors\[0\]: has a field beside/m, /^the document: has a field/m])
    expect(wrong.output).toMatch(path);
  expect(wrong.output).not.toContain("hunter2");

  writeFileSync(file, first.output);
  const blocking = { velocity: { cardAttemptsPerHour: { raisedFrom: 1, blockedFrom: 1 } } };
  write({ ...read(), limits: { ...read().limits, ...blocking } });
  expect(await settings("check", file)).toMatchObject({ code: 0, output: expect.stringMatching(/blockedFrom: 1000000000 → 1$/m) });
  expect(await settings("put", file)).toMatchObject({ code: 1, output: expect.stringMatching(/--by names the person/) });
  const put = await settings("put", file, "--by", "alice", "--note", "cards are being tried");
  expect(put).toMatchObject({ code: 0, output: expect.stringMatching(/^version 1 made[\s\S]*applied by all 1 replicas after [0-9.]+ s/) });
  expect((await authorize(stack)).status).toBe(402);
  expect(await settings("put", file, "--by", "bob")).toMatchObject({
    code: 1,
    output: expect.stringMatching(/somebody else made version 1/),
  });

  const back = await settings("rollback", "0", "--by", "bob", "--note", "too strict");
  expect(back).toMatchObject({ code: 0, output: expect.stringMatching(/^version 2 made[\s\S]*applied by all 1 replicas/) });
  expect((await authorize(stack)).status).toBe(201);
  const history = (await settings("history")).output;
  expect(history).toMatch(/^version 2 {2}\S+Z {2}operator:bob, back to version 0: too strict$/m);
  expect(history).toMatch(/^version 1 {2}\S+Z {2}operator:alice: cards are being tried\n(?: .*\n)* {2}limits\.velocity\.\S+/m);
  expect(await settings("diff", "0", "2")).toMatchObject({ code: 0, output: "nothing differs\n" });
  expect(await settings("applied")).toMatchObject({ code: 0, output: expect.stringMatching(/^newest version 2\n\S+ {2}version 2 since /) });
});

test("the edge keeps the limits of the house as they are now", async () => {
  writeFileSync(file, (await settings("get")).output);
  write({ ...read(), limits: { ...read().limits, requestsPerKey: { default: { perSecond: 1, burst: 1 } } } });
  expect((await settings("put", file, "--by", "alice")).code).toBe(0);
  await untilTrue(async () => (await authorize(stack)).status === 429, 10_000);
  expect((await settings("rollback", "2", "--by", "bob")).code).toBe(0);
  const several = () => Promise.all([authorize(stack), authorize(stack), authorize(stack)]);
  await untilTrue(async () => (await several()).every(({ status }) => status === 201), 10_000);
});

test("a document of a version that is not there, one with a byte order mark, and a file that is none", async () => {
  const now = (await settings("get")).output;
  const { version } = JSON.parse(now) as Document;
  writeFileSync(file, `\ufeff${now}`);
  expect(await settings("check", file)).toMatchObject({ code: 0, output: expect.stringContaining("the document is good") });
  const ahead = await settings("put", file, "--by", "alice", "--base", "999");
  expect(ahead).toMatchObject({
    code: 1,
    output: expect.stringContaining(`there is no version 999 that a document can be made from: the newest is ${version}`),
  });
  writeFileSync(file, Buffer.alloc(5_000_000, " "));
  expect(await settings("check", file)).toMatchObject({ code: 1, output: expect.stringMatching(/has 5000000 bytes, at most 4000000/) });
});

test("what is mistyped is said, and nothing is asked", async () => {
  expect((await settings("--help")).output).toContain("rollback <version>");
  for (const limit of ["abc", "0", "101"])
    expect(await settings("history", "--limit", limit)).toMatchObject({ code: 1, output: "florin: --limit is 1 to 100\n" });
  for (const words of [["gett"], ["diff", "1"], ["get", "one"], ["check", join(directory, "nothing.json")]])
    expect(await settings(...words)).toMatchObject({ code: 1, output: expect.stringMatching(/^florin: /) });
});
