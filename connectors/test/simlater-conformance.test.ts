/** simlater against the real simulator process, its faults, its books and its callbacks. */
import { portOfNobody } from "@florin/runtime/testing";
import { type ConformanceTraits, connectorConformance } from "../src/contract/conformance.ts";
import { testCard } from "./cards.ts";
import { newId, startSimlaterWorld } from "./simlater-world.ts";
import { refundDelayMs } from "./start-simulator.ts";

/** Longer than the suite's impatient calls, so that silence stays silence to them; shorter than its patient ones. */
const askAfterMs = 3_000;

const traits: ConformanceTraits = {
  query: true,
  reversal: true,
  multipleCaptures: true,
  cannot: { wrong_mac: "its answers carry no code; what a callback with a wrong one does is in the callbacks' own tests" },
};

connectorConformance("simlater", traits, async () => {
  const world = await startSimlaterWorld(askAfterMs);
  const unreachable = world.connectTo(`http://127.0.0.1:${portOfNobody}`);
  return {
    connector: world.connector,
    unreachable,
    fail: world.fail,
    effects: world.effects,
    card: testCard,
    newReference: newId,
    newPaymentId: () => newId("payment"),
    merchantId: newId("merchant"),
    refundDelayMs,
    stop: async () => {
      await unreachable.close();
      await world.stop();
    },
  };
});
