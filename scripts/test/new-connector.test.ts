/**
 * A connector made in a copy of the repository: it type-checks, it lints, it keeps to its room, its own tests pass, and the conformance suite runs
 * and fails exactly where the author has something to fill in.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installTools, tool } from "../check/tools.ts";
import { makeConnector } from "../new-connector/make-connector.ts";
import { rootFolder } from "../root-folder.ts";
import { breachOf } from "../tidy/import-rules.ts";
import { findImports } from "../tidy/source-files.ts";

const copy = mkdtempSync(join(tmpdir(), "florin-new-connector-"));
const name = "north_bank";

beforeAll(async () => {
  await installTools();
  const isSource = (path: string) => !path.includes("node_modules");
  cpSync(join(rootFolder, "connectors"), join(copy, "connectors"), { recursive: true, filter: isSource });
  for (const folder of ["check", "docs", "new-connector", "tidy"])
    cpSync(join(rootFolder, "scripts", folder), join(copy, "scripts", folder), { recursive: true });
  for (const file of ["biome.json", "package.json", "vitest.config.ts", join("scripts", "root-folder.ts")])
    cpSync(join(rootFolder, file), join(copy, file));
  symlinkSync(join(rootFolder, "node_modules"), join(copy, "node_modules"));
  const { compilerOptions } = JSON.parse(readFileSync(join(rootFolder, "tsconfig.json"), "utf8")) as { compilerOptions: object };
  const include = ["connectors/src/**/*.ts", "connectors/test/**/*.ts", "scripts/tidy/*.ts"];
  writeFileSync(join(copy, "tsconfig.json"), JSON.stringify({ compilerOptions, include }));
  expect(makeConnector({ rootFolder: copy, name }).kind).toBe("made");
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

function run(file: string, words: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(file, words, { cwd: copy, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

const bin = (command: string) => join(rootFolder, "node_modules", ".bin", command);
const madeFolder = join("connectors", "src", name);

test("what is made type-checks", () => {
  expect(run(bin("tsc"), ["-p", "."])).toEqual({ status: 0, output: "" });
});

test("what is made lints, once it is formatted as the command does", () => {
  const places = [madeFolder, join("connectors", "test"), join("connectors", "src"), join("scripts", "tidy")];
  run(tool("biome"), ["check", "--write", ...places]);
  const { status, output } = run(tool("biome"), ["check", "--error-on-warnings", ...places]);
  expect([status, output]).toEqual([0, expect.stringContaining("No fixes applied")]);
});

test("it keeps to a room of its own, in which the example of the template is not named any more", async () => {
  const { serviceRooms } = (await import(
    pathToFileURL(join(copy, "scripts", "tidy", "service-rooms.ts")).href
  )) as typeof import("../tidy/service-rooms.ts");
  const files = readdirSync(join(copy, madeFolder)).map((file) => join(madeFolder, file));
  expect(files.length).toBeGreaterThan(6);
  for (const path of [...files, join("connectors", "src", "registry.ts")]) {
    const text = readFileSync(join(copy, path), "utf8");
    const imports = findImports(text);
    const breaches = imports.map((one) => breachOf({ path, text, imports }, one, serviceRooms["connectors"] ?? {}));
    expect(breaches.filter((breach) => breach !== undefined)).toEqual([]);
    expect(text).not.toMatch(/acme/i);
  }
});

type Report = { readonly testResults: readonly { readonly name: string; readonly assertionResults: readonly Assertion[] }[] };
type Assertion = { readonly fullName: string; readonly status: string; readonly failureMessages: readonly string[] };

test("its own tests and the registry's pass; the conformance suite fails where something is to be filled in", () => {
  const file = join(copy, "report.json");
  const files = [madeFolder, join("connectors", "test", "registry.test.ts"), join("connectors", "test", `${name}-conformance.test.ts`)];
  const { output } = run(bin("vitest"), ["run", "--reporter=json", `--outputFile=${file}`, ...files]);
  const { testResults } = JSON.parse(readFileSync(file, "utf8")) as Report;
  const suite = testResults.find((one) => one.name.endsWith("-conformance.test.ts"))?.assertionResults ?? [];
  const others = testResults.filter((one) => !one.name.endsWith("-conformance.test.ts")).flatMap((one) => one.assertionResults);
  expect([
    others.length > 20,
    others.filter((one) => one.status !== "passed").map((one) => one.fullName),
    output.includes("Error:"),
  ]).toEqual([true, [], false]);
  const titles = (status: string) => suite.filter((one) => one.status === status).map((one) => one.fullName);
  // What every connector over src/http1 does right from the beginning.
  expect(titles("passed")).toEqual(
    expect.arrayContaining([
      expect.stringContaining("a refused connection is not_sent"),
      expect.stringContaining("is wiped although nothing was sent"),
      expect.stringContaining("a processor that cannot be asked has not said no"),
    ]),
  );
  const failed = suite.filter((one) => one.status === "failed");
  expect(titles("failed")).toEqual(expect.arrayContaining([expect.stringContaining("an approval is final")]));
  expect(failed.filter((one) => one.failureMessages.join("").includes("fill in:")).length).toBeGreaterThan(10);
});

test("a name that is taken or is none changes nothing", () => {
  const before = readFileSync(join(copy, "connectors", "src", "registry.ts"), "utf8");
  for (const taken of [name, "simpay", "http1", "North"]) expect(makeConnector({ rootFolder: copy, name: taken }).kind).toBe("refused");
  expect(readFileSync(join(copy, "connectors", "src", "registry.ts"), "utf8")).toBe(before);
});

test("where a file has changed so much that its place is not found, nothing at all is written", () => {
  const config = join(copy, "connectors", "src", "config.ts");
  const text = readFileSync(config, "utf8");
  writeFileSync(config, text.replace('  otlpUrl: url({ env: "FLORIN_OTLP_URL"', '  moved: url({ env: "FLORIN_OTLP_URL"'));
  expect(() => makeConnector({ rootFolder: copy, name: "south_bank" })).toThrow("by hand");
  expect(readdirSync(join(copy, "connectors", "src"))).not.toContain("south_bank");
  writeFileSync(config, text);
});

test.each(["registry", "otlp", "http_link", "request_writer"])(
  "%s, whose functions or settings there are, is refused before anything is written",
  (taken) => {
    const before = readFileSync(join(copy, "connectors", "src", "registry.ts"), "utf8");
    expect(makeConnector({ rootFolder: copy, name: taken })).toMatchObject({
      kind: "refused",
      problem: expect.stringContaining("choose another"),
    });
    expect(readFileSync(join(copy, "connectors", "src", "registry.ts"), "utf8")).toBe(before);
  },
);
