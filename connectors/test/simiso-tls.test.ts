/** Live links through mutual TLS: a terminator as a processor has one, with the simulator's host behind it. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import { makeId, Secret } from "@florin/kernel";
import { freePort, temporaryFolder, untilTrue } from "@florin/runtime/testing";
import { loadTls, type MutualTls, makeCertificates } from "@florin/runtime/tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Connector } from "../src/contract/connector.ts";
import { createSimiso } from "../src/simiso/simiso.ts";
import { testCard } from "./cards.ts";
import { type SimulatorProcess, startSimulator } from "./start-simulator.ts";

const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));
const macKeyHex = randomBytes(16).toString("hex");
const sockets = new Set<Socket>();
const connectors: Connector[] = [];
const refusals: string[] = [];
let simulator: SimulatorProcess;
let terminator: Server;
let ours: MutualTls;
let strangers: MutualTls;

/** Of one authority, made here: its processor's and this house's. */
async function newAuthority(): Promise<{ readonly processor: MutualTls; readonly house: MutualTls }> {
  const directory = temporaryFolder();
  await makeCertificates({ directory, names: ["connectors", "simulator"] });
  const mutual = (name: string): MutualTls => {
    const tls = loadTls(directory, name);
    if (tls.kind !== "mutual") throw new Error("a folder of certificates is mutual TLS");
    return tls;
  };
  return { processor: mutual("simulator"), house: mutual("connectors") };
}

beforeAll(async () => {
  const port = await freePort();
  simulator = await startSimulator({ iso8583: { port, macKeyHex } });
  strangers = (await newAuthority()).house;
  const { processor, house } = await newAuthority();
  ours = house;
  const { ca, certificate: cert, key } = processor;
  terminator = createServer({ ca, cert, key, requestCert: true, rejectUnauthorized: true }, (secure) => {
    const plain = connect(port, "127.0.0.1");
    for (const socket of [secure, plain]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    secure.pipe(plain).pipe(secure);
  });
  terminator.on("tlsClientError", (error) => refusals.push(error.message));
  terminator.listen(0, "127.0.0.1");
  await once(terminator, "listening");
});
afterAll(async () => {
  await Promise.all(connectors.map((connector) => connector.close()));
  for (const socket of sockets) socket.destroy();
  terminator?.close();
  await simulator?.stop();
});

function connectWith(tls: { ca: Buffer; cert?: Buffer; key?: Buffer }): Connector {
  const { port } = terminator.address() as AddressInfo;
  const connector = createSimiso({
    addresses: [{ host: "127.0.0.1", port, tls }],
    macKey: new Secret(Buffer.from(macKeyHex, "hex")),
    inFlightMax: 16,
    isGranted: false,
    totals: { windowMs: 300_000, settleMs: 90_000 },
    onTotals: () => undefined,
  });
  connectors.push(connector);
  return connector;
}

function authorize(connector: Connector, reference: string) {
  const command = {
    ...{ reference, merchantId: newId("merchant"), paymentId: newId("payment"), merchantReference: "" },
    ...{ amount: 1_000n, currency: "EUR", capture: false },
  };
  return connector.authorize(command, testCard("approved"), { deadlineAtMs: Date.now() + 5_000, traceparent: "" });
}

test("a link with a certificate of the processor's authority carries payments", async () => {
  const connector = connectWith({ ca: ours.ca, cert: ours.certificate, key: ours.key });
  await untilTrue(() => connector.isUp(), 5_000);
  expect(await authorize(connector, newId("attempt"))).toMatchObject({ kind: "approved" });
});

test("a processor that another authority vouches for gets no byte of ours", async () => {
  const connector = connectWith({ ca: strangers.ca, cert: ours.certificate, key: ours.key });
  const before = refusals.length;
  await untilTrue(() => refusals.length > before, 5_000);
  const reference = newId("attempt");
  expect(await authorize(connector, reference)).toEqual({ kind: "not_sent", cause: "not_connected" });
  expect(await simulator.call("GET", `/admin/books/charges?reference=${reference}`)).toMatchObject({ requests: 0 });
});

test.each([
  ["without a certificate", () => ({ ca: ours.ca })],
  ["with a stranger's certificate", () => ({ ca: ours.ca, cert: strangers.certificate, key: strangers.key })],
] as const)("%s a link is refused by the processor and carries nothing", async (_name, tls) => {
  const before = refusals.length;
  const connector = connectWith(tls());
  await untilTrue(() => refusals.length > before + 1, 10_000);
  expect(connector.isUp()).toBe(false);
  expect(await authorize(connector, newId("attempt"))).toEqual({ kind: "not_sent", cause: "not_connected" });
});
