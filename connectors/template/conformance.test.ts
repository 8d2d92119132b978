/** acme against its sandbox or a simulator of it. Fill in the world below until every case passes. */
import { randomBytes } from "node:crypto";
import { makeId, Secret } from "@florin/kernel";
import { portOfNobody } from "@florin/runtime/testing";
import { type ConformanceTraits, connectorConformance } from "../src/contract/conformance.ts";
import { testCard } from "../test/cards.ts";
import { createAcme } from "./acme.ts";

const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));

/** Fill in: as the connector declares it, and the faults that acme's language does not have, each with the reason. */
const traits: ConformanceTraits = { query: false, reversal: false, multipleCaptures: false, cannot: {} };

connectorConformance("acme", traits, async () => {
  const connectTo = (url: string) =>
    createAcme({
      url: new URL(url),
      apiKey: new Secret(Buffer.from("acme_test")),
      connectionsMax: 16,
      waitingMax: 64,
      connectTimeoutMs: 1_000,
    });
  // Fill in: where the simulator or the sandbox of acme is. Until then nobody answers.
  const connector = connectTo(`http://127.0.0.1:${portOfNobody}`);
  const unreachable = connectTo(`http://127.0.0.1:${portOfNobody}`);
  return {
    connector,
    unreachable,
    fail: async (_reference, fault) => {
      throw new Error(`fill in: how acme's simulator is told to make ${fault}`);
    },
    effects: async () => {
      throw new Error("fill in: how many effects acme's own books hold under a reference");
    },
    card: testCard,
    newReference: newId,
    newPaymentId: () => newId("payment"),
    merchantId: newId("merchant"),
    // Fill in: how long acme takes to settle a refund, ms.
    refundDelayMs: 100,
    stop: async () => {
      await Promise.all([connector.close(), unreachable.close()]);
    },
  };
});
