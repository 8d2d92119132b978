import { loadConfig } from "@florin/runtime/config";
import { expect, test } from "vitest";
import { builtInOf } from "../src/app/built-in-settings.ts";
import { switchConfig } from "../src/config.ts";
import { usualLimits } from "../src/domain/limits/index.ts";
import { readBuiltIn } from "../src/domain/settings/index.ts";

const needed = {
  FLORIN_TLS_DIR: "off",
  FLORIN_DATABASE_URL: "postgres://switch@127.0.0.1/switch",
  FLORIN_CONNECTORS_ADDRESS: "127.0.0.1:1",
  FLORIN_VAULT_ADDRESS: "127.0.0.1:2",
};
const started = (variables: Readonly<Record<string, string>>) => builtInOf(loadConfig(switchConfig, { ...needed, ...variables }));

test("a process that is told nothing has the usual limits", () => {
  const { processors, velocity, ...limits } = started({});
  expect(limits).toEqual(usualLimits);
  expect(processors).toEqual(["simpay"]);
});

test("whatever a process may be started with, least and most, makes a document that can be read", () => {
  const bounds = Object.values(switchConfig.settings).flatMap(({ env, shape }) => {
    const range = /^integer (\d+) to (\d+)$/.exec(shape);
    const isLimit = /_(CIRCUIT|RETR|IN_FLIGHT|MERCHANT_CALLS|OVERLOAD)/.test(env);
    if (/_(CEILING|BULKHEAD)$/.test(env)) return [[env, "0", "1"] as const];
    return isLimit && range !== null ? [[env, range[1] as string, range[2] as string] as const] : [];
  });
  expect(bounds).toHaveLength(22);
  const least = readBuiltIn(started(Object.fromEntries(bounds.map(([env, min]) => [env, min]))));
  const most = readBuiltIn(started(Object.fromEntries(bounds.map(([env, , max]) => [env, max]))));
  expect(least.limits.circuits).toMatchObject({ failurePercent: 1, resultsMin: 1, probesMax: 1 });
  expect(most.limits.switchCalls).toMatchObject({ inFlightMax: 65_536, readsBulkheadPercent: 100, merchantCallsPerFreeCall: 64 });
});
