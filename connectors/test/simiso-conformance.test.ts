/** simiso against the real simulator process over live ISO 8583 links, its faults and its books. */
import { randomBytes } from "node:crypto";
import { makeId, Secret } from "@florin/kernel";
import { freePort, portOfNobody, untilTrue } from "@florin/runtime/testing";
import { type ConformanceTraits, connectorConformance } from "../src/contract/conformance.ts";
import { createSimiso } from "../src/simiso/simiso.ts";
import { testCard } from "./cards.ts";
import { refundDelayMs, startSimulator } from "./start-simulator.ts";

const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));
/** A link that a fault drops is away for a moment; the others carry on. */
const linkCount = 4;

const traits: ConformanceTraits = {
  query: false,
  reversal: true,
  multipleCaptures: true,
  cannot: {
    slow_drip: "all answers share a link: what drips holds up the rest, and the links' own tests cut messages everywhere",
    denied_query: "there is no query",
  },
};

connectorConformance("simiso", traits, async () => {
  const port = await freePort();
  const macKeyHex = randomBytes(16).toString("hex");
  const simulator = await startSimulator({ iso8583: { port, macKeyHex } });
  const connectTo = (toPort: number) =>
    createSimiso({
      addresses: Array.from({ length: linkCount }, () => ({ host: "127.0.0.1", port: toPort, tls: undefined })),
      macKey: new Secret(Buffer.from(macKeyHex, "hex")),
      inFlightMax: 256,
      isGranted: false,
      totals: { windowMs: 300_000, settleMs: 90_000 },
      onTotals: () => undefined,
    });
  const connector = connectTo(port);
  const unreachable = connectTo(portOfNobody);
  await untilTrue(() => connector.isUp(), 5_000);
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
