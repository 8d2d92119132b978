/** simpay against the real simulator process, its faults and its books. */
import { randomBytes } from "node:crypto";
import { makeId, Secret } from "@florin/kernel";
import { portOfNobody } from "@florin/runtime/testing";
import { expect, test } from "vitest";
import { type ConformanceTraits, connectorConformance } from "../src/contract/conformance.ts";
import { conformanceFaults } from "../src/contract/conformance-faults.ts";
import { createSimpay } from "../src/simpay/simpay.ts";
import { testCard } from "./cards.ts";
import { refundDelayMs, simpayApiKey, startSimulator } from "./start-simulator.ts";

const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));

const traits: ConformanceTraits = {
  query: true,
  reversal: true,
  multipleCaptures: true,
  cannot: { wrong_mac: "there are no authentication codes over HTTP" },
};

connectorConformance("simpay", traits, async () => {
  const simulator = await startSimulator();
  const connectTo = (url: string) =>
    createSimpay({
      url: new URL(url),
      apiKey: new Secret(Buffer.from(simpayApiKey)),
      connectionsMax: 16,
      waitingMax: 64,
      connectTimeoutMs: 1_000,
    });
  const connector = connectTo(simulator.url);
  const unreachable = connectTo(`http://127.0.0.1:${portOfNobody}`);
  return {
    connector,
    unreachable,
    fail: async (reference, fault) => {
      await simulator.call("POST", "/admin/rules", { fault, match: { reference_prefix: reference }, times: 1 });
    },
    effects: async (reference) => Number((await simulator.call("GET", `/admin/books/charges?reference=${reference}`))["count"]),
    card: testCard,
    newReference: newId,
    newPaymentId: () => newId("payment"),
    merchantId: newId("merchant"),
    refundDelayMs,
    stop: async () => {
      await Promise.all([connector.close(), unreachable.close()]);
      await simulator.stop();
    },
  };
});

/** simlater-callbacks.test.ts has those of callbacks, simiso-temporary-answers.test.ts those of ISO 8583. */
const ofIso8583 = ["malfunction", "malfunction_after_charge", "turned_away", "no_original"];
const hasTestsOfItsOwn = (fault: string) => fault.startsWith("callback_") || ofIso8583.includes(fault);

test("every fault that the simulator can make is in the suite, or has tests of its own", async () => {
  const simulator = await startSimulator();
  const { faults } = await simulator.call("GET", "/admin/faults");
  await simulator.stop();
  const ofAnswers = Object.keys(faults as object).filter((fault) => !hasTestsOfItsOwn(fault));
  expect(ofAnswers.toSorted()).toEqual(conformanceFaults.toSorted());
});
