/**
 * Where each process of a stack dials while cards are taken and payments are made: the table of docs/THREAT-MODEL.md and nothing else. The vault
 * dials its database; its key service would be the only other place.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { authorizeBody, call, hasFullProfile, type Stack, startStack, tokenize } from "./stack.ts";

const recorder = new URL("dial-recorder.mjs", import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), "florin-dials-"));
let stack: Stack;

beforeAll(async () => {
  const env = { NODE_OPTIONS: `--import=${recorder}`, FLORIN_DIALS_FOLDER: folder };
  stack = await startStack({ profile: hasFullProfile ? "full" : "embedded", env });
  const token = await tokenize(stack, "4242424242424242");
  const paid = await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ payment_method: { type: "card", token } }));
  expect(paid.status).toBe(201);
  expect((await call(stack, "POST", `/v1/payments/${String(paid.body["id"])}/capture`, { amount: 5_000 })).status).toBe(200);
});

afterAll(async () => {
  await stack?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Process → what it dials. "broker" and "cache" are there in the full profile only. */
const dials: Readonly<Record<string, readonly string[]>> = {
  edge: ["database", "switch"],
  switch: ["database", "cache", "broker", "vault", "connectors"],
  connectors: ["vault", "processor"],
  vault: ["database"],
  ledger: ["database", "broker", "switch"],
  simulator: ["database"],
};

test.each(Object.entries(dials))("%s dials %j and nothing else", (name, places) => {
  const there = places.filter((place) => hasFullProfile || !["broker", "cache"].includes(place));
  expect([...dialsOf(name)].toSorted()).toEqual(there.toSorted());
});

test("every process of ours is in the table", () => {
  const servers = ["postgres", "redis", "nats", "supervisor"];
  const own = stack.processes.map(({ name }) => name).filter((name) => !servers.includes(name));
  expect(own.toSorted()).toEqual(Object.keys(dials).toSorted());
});

/** The names of the places that a process dialled; an unknown place as it is. */
function dialsOf(name: string): ReadonlySet<string> {
  const pid = stack.processes.find((one) => one.name === name)?.pid;
  const file = readdirSync(folder).find((entry) => entry === `${pid}.dials`);
  if (file === undefined) return new Set();
  const names = placeNames();
  const lines = readFileSync(join(folder, file), "utf8").trim().split("\n");
  return new Set(lines.map((line) => names.get(line.slice(line.lastIndexOf(":") + 1)) ?? line));
}

/** Port → name. All of a stack's listeners are on the loopback address, each on a port of its own. */
function placeNames(): ReadonlyMap<string, string> {
  const addresses = JSON.parse(readFileSync(join(stack.directory, "addresses.json"), "utf8")) as Readonly<Record<string, string>>;
  const places: readonly (readonly [string, string | null | undefined])[] = [
    ["database", stack.databaseUrl],
    ["cache", stack.redisUrl],
    ["broker", stack.natsUrl],
    ["processor", stack.simulatorUrl],
    ["processor", stack.simulatorIso8583Url],
    ["switch", `grpc://${addresses["switchAddress"]}`],
    ["connectors", `grpc://${addresses["connectorsAddress"]}`],
    ["vault", `grpc://${addresses["vaultAddress"]}`],
    ["ledger", `grpc://${addresses["ledgerAddress"]}`],
  ];
  return new Map(places.flatMap(([name, url]) => (url === null || url === undefined ? [] : [[new URL(url).port, name] as const])));
}
