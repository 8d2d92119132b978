/** References on real files, and a real connector whose key is seen where it matters: at the processor. */
import { randomBytes } from "node:crypto";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Secret } from "@florin/kernel";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { temporaryFolder } from "@florin/runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createSecretDesk, type SecretDesk } from "../src/app/secret-desk.ts";
import { createSecretSource, type ReadSecret, takeSecretVariables } from "../src/app/secret-source.ts";
import type { Connector } from "../src/contract/connector.ts";
import { registryOf } from "../src/registry.ts";
import { createSimlater } from "../src/simlater/simlater.ts";
import { createSimpay } from "../src/simpay/simpay.ts";

/** Made up at each run: whatever shows one of them has leaked it. */
const newKey = (): string => `canary-${randomBytes(16).toString("hex")}`;
const [keyOfStart, keyOfVariable, keyOutside] = [newKey(), newKey(), newKey()];
const lines: string[] = [];
const logger = createLogger({ service: "connectors", level: "debug", write: (line) => void lines.push(line) });
const seen: string[] = [];
const processor = createServer((request, response) => {
  seen.push(request.headers.authorization?.slice("Bearer ".length) ?? String(request.headers["x-later-key"]));
  response.end("{}");
});

let home: string;
let folder: string;
let telemetry: ReturnType<typeof startTelemetry>;
let simpay: Connector;
let simlater: Connector;
let fixed: Connector;
let desk: SecretDesk;
let version = 0;

beforeAll(async () => {
  home = temporaryFolder();
  await new Promise<void>((resolve) => processor.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  processor.close();
  processor.closeAllConnections();
});
beforeEach(() => {
  folder = join(home, randomBytes(4).toString("hex"), "secrets");
  mkdirSync(folder, { recursive: true });
  telemetry = startTelemetry({ service: "connectors", otlpUrl: "", traceRatio: 0 });
  const url = new URL(`http://127.0.0.1:${(processor.address() as AddressInfo).port}`);
  const apiKey = new Secret(Buffer.from(keyOfStart));
  simpay = createSimpay({ url, apiKey, connectionsMax: 4, waitingMax: 4, connectTimeoutMs: 1_000 });
  const keys = { apiKey: new Secret(Buffer.from(keyOfStart)), callbackKeys: new Map() };
  simlater = createSimlater({
    ...keys,
    url,
    callbackToleranceMs: 1_000,
    askAfterMs: 1_000,
    connectionsMax: 4,
    waitingMax: 4,
    connectTimeoutMs: 1_000,
  });
  const { rotateSecret, ...others } = simpay;
  fixed = { ...others, name: "fixed" };
  const environment = { FLORIN_SECRET_SIMPAY: keyOfVariable, FLORIN_DATABASE_URL: keyOutside };
  const variables = takeSecretVariables(environment);
  // What may be named is out of the environment; the rest is not for references.
  expect(environment).toEqual({ FLORIN_DATABASE_URL: keyOutside });
  desk = createSecretDesk({
    registry: registryOf([simpay, simlater, fixed]),
    read: createSecretSource({ folder, variables }),
    metrics: telemetry.metrics,
    logger,
  });
});

async function keyInUse(connector: Connector = simpay): Promise<string | undefined> {
  expect(await connector.ping({ deadlineAtMs: Date.now() + 5_000, traceparent: "" })).toMatchObject({ kind: "up" });
  return seen.at(-1);
}

/** A version with this place for simpay's key. */
const point = (reference: string, o: { processor?: string; name?: string } = {}) =>
  desk.apply(++version, [{ processor: "simpay", name: "api", ...o, reference }]);

function write(name: string, text: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("a key", () => {
  test("is exchanged while the connector works, from a file and from a variable", async () => {
    expect(await keyInUse()).toBe(keyOfStart);
    const key = newKey();
    await point(`file:${write("simpay", `${key}\n`)}`);
    expect([await keyInUse(), desk.unresolved, desk.version]).toEqual([key, 0, version]);
    await point("env:FLORIN_SECRET_SIMPAY");
    expect(await keyInUse()).toBe(keyOfVariable);
  });

  test("is each processor's own", async () => {
    await point("env:FLORIN_SECRET_SIMPAY", { processor: "simlater" });
    expect([await keyInUse(simlater), await keyInUse(simpay)]).toEqual([keyOfVariable, keyOfStart]);
    await point("env:FLORIN_SECRET_SIMPAY");
    expect([await keyInUse(simlater), await keyInUse(simpay)]).toEqual([keyOfStart, keyOfVariable]);
    await point("env:FLORIN_SECRET_SIMPAY", { processor: "simlater", name: "callback" });
    expect([await keyInUse(simlater), desk.unresolved]).toEqual([keyOfStart, 1]);
  });

  test("that is named no more is again the one of the start", async () => {
    await point("env:FLORIN_SECRET_SIMPAY");
    await desk.apply(++version, []);
    expect(await keyInUse()).toBe(keyOfStart);
  });

  test("is read again when the same version is told again: exchanged in its place, or there at last", async () => {
    const reference = `file:${join(folder, "late")}`;
    await point(reference);
    expect([await keyInUse(), desk.unresolved]).toEqual([keyOfStart, 1]);
    for (const key of [newKey(), newKey()]) {
      renameSync(write("new", key), join(folder, "late"));
      await desk.apply(version, [{ processor: "simpay", name: "api", reference }]);
      expect([await keyInUse(), desk.unresolved]).toEqual([key, 0]);
    }
  });

  test("of an older version changes nothing, also when both are told at once", async () => {
    const [older, newer] = [newKey(), newKey()];
    const references = [older, newer].map((key, index) => [
      { processor: "simpay", name: "api", reference: `file:${write(`key${index}`, key)}` },
    ]);
    version += 2;
    await Promise.all([desk.apply(version, references[1] ?? []), desk.apply(version - 1, references[0] ?? []), desk.apply(0, [])]);
    expect([await keyInUse(), desk.version]).toEqual([newer, version]);
  });
});

test("a place that answers late, or never, neither overtakes a newer version nor holds it up for ever", async () => {
  const [older, newer] = [newKey(), newKey()];
  let answer = (_secret: Secret): void => {};
  const late = new Promise<Secret>((resolve) => {
    answer = resolve;
  });
  const read: ReadSecret = (reference) => {
    if (reference === "env:LATE") return late;
    return reference === "env:NEVER" ? new Promise(() => {}) : Promise.resolve(new Secret(Buffer.from(newer)));
  };
  const { metrics } = startTelemetry({ service: "connectors", otlpUrl: "", traceRatio: 0 });
  const slow = createSecretDesk({ registry: registryOf([simpay]), read, metrics, logger });
  const at = (reference: string) => [{ processor: "simpay", name: "api", reference }];
  const both = [slow.apply(1, at("env:LATE")), slow.apply(2, at("env:NEWER"))];
  await new Promise((resolve) => setImmediate(resolve));
  answer(new Secret(Buffer.from(older)));
  await Promise.all(both);
  expect(await keyInUse()).toBe(newer);
  await slow.apply(3, at("env:NEVER"));
  expect([await keyInUse(), slow.version, slow.unresolved]).toEqual([newer, 3, 1]);
});

describe("what cannot be resolved leaves the key that there is, and is told by a word:", () => {
  const places: readonly (readonly [string, () => string, string])[] = [
    ["a file that is not there", () => `file:${folder}/nobody`, "not_found"],
    ["dots that lead out", () => `file:${folder}/../outside`, "outside_folder"],
    ["a file elsewhere", () => `file:${join(folder, "..", "outside")}`, "outside_folder"],
    ["a folder whose name only begins alike", () => `file:${folder}-too`, "outside_folder"],
    ["a link that leads out", () => `file:${folder}/link`, "outside_folder"],
    ["a file behind a folder that leads out", () => `file:${folder}/up/outside`, "outside_folder"],
    ["the folder itself", () => `file:${folder}`, "outside_folder"],
    ["a folder", () => `file:${folder}/deep`, "unreadable"],
    ["an empty file", () => `file:${folder}/empty`, "wrong_size"],
    ["a line break alone", () => `file:${folder}/break`, "wrong_size"],
    ["a file that is too long", () => `file:${folder}/long`, "wrong_size"],
    ["bytes that are no key of this processor", () => `file:${folder}/bytes`, "refused_by_connector"],
    ["a variable of the process that is for no reference", () => "env:FLORIN_DATABASE_URL", "variable_not_allowed"],
    ["a variable that is not there", () => "env:FLORIN_SECRET_NOBODY", "not_found"],
    ["neither", () => keyOutside, "unknown_form"],
  ];

  test.each(places)("%s", async (_name, reference, cause) => {
    const outside = join(folder, "..", "outside");
    writeFileSync(outside, keyOutside);
    writeFileSync(`${folder}-too`, keyOutside);
    symlinkSync(outside, join(folder, "link"));
    symlinkSync("..", join(folder, "up"));
    mkdirSync(join(folder, "deep"));
    write("empty", "");
    write("break", "\n");
    write("long", keyOutside.padEnd(4_097, "x"));
    write("bytes", `${keyOutside}\r\nx-injected: 1`);
    await point("env:FLORIN_SECRET_SIMPAY");
    const from = lines.length;
    await point(reference());
    await desk.apply(version, [{ processor: "simpay", name: "api", reference: reference() }]);
    expect([await keyInUse(), desk.unresolved]).toEqual([keyOfVariable, 1]);
    // Once, however often it is tried.
    expect(lines.slice(from).map((line) => JSON.parse(line) as object)).toMatchObject([{ processor: "simpay", key_name: "api", cause }]);
    expect(await telemetry.scrape()).toMatch(/^connectors_secrets_unresolved(?:\{[^}]*\})? 1$/m);
  });

  test.each([
    ["a processor that is not here", { processor: "nobody" }, "no_such_connector"],
    ["a secret that the processor has not", { name: "webhook" }, "refused_by_connector"],
    ["a connector whose keys change with a restart only", { processor: "fixed" }, "not_exchangeable"],
  ])("%s", async (_name, one, cause) => {
    await point("env:FLORIN_SECRET_SIMPAY", one);
    expect([await keyInUse(), desk.unresolved]).toEqual([keyOfStart, 1]);
    expect(JSON.parse(lines.at(-1) ?? "{}")).toMatchObject({ cause });
  });
});

test("a link within the folder is followed: that is how secrets are mounted", async () => {
  const key = newKey();
  mkdirSync(join(folder, "..2026"));
  writeFileSync(join(folder, "..2026", "simpay"), key);
  symlinkSync("..2026", join(folder, "..data"));
  symlinkSync("..data/simpay", join(folder, "simpay"));
  await point(`file:${join(folder, "simpay")}`);
  expect(await keyInUse()).toBe(key);
});

test("without a folder no file is read", async () => {
  const read = createSecretSource({ folder: "", variables: new Map() });
  expect(await read(`file:${write("simpay", newKey())}`)).toBe("no_folder");
});

test("no line and no metric shows a key", async () => {
  expect(lines.some((line) => line.includes("a processor's key was exchanged"))).toBe(true);
  for (const text of [...lines, await telemetry.scrape()]) expect(text).not.toMatch(/canary-/);
});
