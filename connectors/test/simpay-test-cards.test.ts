/** The published test cards, one by one, through the connector: what the acquirer says about a card reaches the switch in the kernel's words. */
import { randomBytes } from "node:crypto";
import { makeId, Secret } from "@florin/kernel";
import { testCardNames, testCards } from "@florin/kernel/test-cards";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Card, Connector } from "../src/contract/connector.ts";
import { createSimpay } from "../src/simpay/simpay.ts";
import { type SimulatorProcess, simpayApiKey, startSimulator } from "./start-simulator.ts";

type Listed = { readonly name: string; readonly last4: string; readonly response_code: string; readonly decline_code: string };

const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));
const cardOf = (number: string): Card => ({
  number: new Secret(Buffer.from(number, "latin1")),
  expMonth: 12,
  expYear: 2035,
  securityCode: undefined,
  postalCode: "",
  addressLine1: "",
});

let simulator: SimulatorProcess;
let connector: Connector;
let listed: readonly Listed[];

beforeAll(async () => {
  simulator = await startSimulator();
  const apiKey = new Secret(Buffer.from(simpayApiKey));
  connector = createSimpay({ url: new URL(simulator.url), apiKey, connectionsMax: 4, waitingMax: 8, connectTimeoutMs: 1_000 });
  listed = (await simulator.call("GET", "/admin/test-cards"))["test_cards"] as Listed[];
});

afterAll(async () => {
  await connector?.close();
  await simulator?.stop();
});

test("the acquirer knows every card that the vault takes in test mode", () => {
  expect(listed.map(({ name, last4 }) => [name, last4])).toEqual(testCardNames.map((name) => [name, testCards[name].number.slice(-4)]));
});

test.each(testCardNames)("%s is answered as the acquirer documents it, in our words", async (name) => {
  const { response_code: responseCode, decline_code: declineCode } = listed.find((card) => card.name === name) ?? expect.fail(name);
  const command = {
    reference: newId("attempt"),
    merchantId: newId("merchant"),
    paymentId: newId("payment"),
    merchantReference: "",
    amount: 1_000n,
    currency: "EUR",
    capture: false,
  };
  const outcome = await connector.authorize(command, cardOf(testCards[name].number), { deadlineAtMs: Date.now() + 5_000, traceparent: "" });
  const expected = declineCode === "" ? { kind: "approved" } : { kind: "declined", reason: declineCode };
  expect(outcome).toMatchObject({ ...expected, words: { responseCode } });
});
