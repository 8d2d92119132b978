import { existsSync, readdirSync, readFileSync } from "node:fs";
import { loadConfig } from "@florin/runtime/config";
import { expect, test } from "vitest";
import { connectorsConfig } from "../src/config.ts";
import { createRegistry } from "../src/registry.ts";

/** Settings with which every connector is there. */
const everything = {
  FLORIN_TLS_DIR: "off",
  FLORIN_VAULT_ADDRESS: "127.0.0.1:1",
  FLORIN_SIMPAY_URL: "http://127.0.0.1:1",
  FLORIN_SIMPAY_API_KEY: "simpay_test",
  FLORIN_SIMLATER_URL: "http://127.0.0.1:1",
  FLORIN_SIMLATER_API_KEY: "simlater_test",
  FLORIN_SIMLATER_CALLBACK_KEY: "5a".repeat(32),
  FLORIN_SIMISO_ADDRESS: "tcp://127.0.0.1:1",
  FLORIN_SIMISO_MAC_KEY: "0123456789abcdeffedcba9876543210",
};

const events = { onLinkNotice: () => undefined, onTotals: () => undefined };

test("every connector that can be registered has its name's conformance test", async () => {
  const registry = createRegistry(loadConfig(connectorsConfig, everything), events);
  // One folder per processor, beside the rooms that all share: a new one has to be in the registry and in the settings above.
  const rooms = new Set(["app", "callbacks", "clients", "contract", "http1", "iso8583", "rpc", "workers"]);
  const folders = readdirSync(new URL("../src/", import.meta.url), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect([...registry.keys()]).toEqual(folders.map((folder) => folder.name).filter((name) => !rooms.has(name)));
  for (const name of registry.keys()) {
    const file = new URL(`./${name}-conformance.test.ts`, import.meta.url);
    expect([name, existsSync(file) && readFileSync(file, "utf8").includes(`connectorConformance("${name}"`)]).toEqual([name, true]);
  }
  for (const connector of registry.values()) await connector.close();
});

test("a processor that has an address and no key is told with all that is missing, before anything starts", () => {
  const keys = Object.keys(everything).filter((name) => name.endsWith("_KEY"));
  const without = Object.fromEntries(Object.entries(everything).filter(([name]) => !keys.includes(name)));
  const told = (): string => {
    try {
      loadConfig(connectorsConfig, without);
    } catch (thrown) {
      return String(thrown);
    }
    return "nothing";
  };
  expect(told()).toContain(`${keys.length} problem(s)`);
  for (const name of keys) expect(told()).toContain(`${name} is required with FLORIN_`);
});

test("what is not configured is not there", () => {
  const isPlace = (name: string) => /_(URL|ADDRESS)$/.test(name) && name !== "FLORIN_VAULT_ADDRESS";
  const without = Object.fromEntries(Object.entries(everything).filter(([name]) => !isPlace(name)));
  expect(createRegistry(loadConfig(connectorsConfig, without), events).size).toBe(0);
});
