/** A key that is wrong for a while, as in the middle of an exchange: what may have been done, and what is to be undone, is not ended by it. */
import { Secret } from "@florin/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Connector } from "../src/contract/connector.ts";
import { createSimpay } from "../src/simpay/simpay.ts";
import { testCard } from "./cards.ts";
import { command, newId, type SimlaterWorld, startSimlaterWorld } from "./simlater-world.ts";
import { simpayApiKey } from "./start-simulator.ts";

let world: SimlaterWorld;
let simpay: Connector;

beforeAll(async () => {
  world = await startSimlaterWorld(100);
  const apiKey = new Secret(Buffer.from(simpayApiKey));
  simpay = createSimpay({ url: new URL(world.simulator.url), apiKey, connectionsMax: 4, waitingMax: 16, connectTimeoutMs: 1_000 });
});
afterAll(async () => {
  await simpay?.close();
  await world?.stop();
});

describe.each(["simpay", "simlater"] as const)("%s with a key that is wrong for a while", (name) => {
  const connector = () => (name === "simpay" ? simpay : world.connector);
  const call = () => ({ deadlineAtMs: Date.now() + 5_000, traceparent: "" });
  const turnedAway = { kind: "unknown", cause: "turned_away" };
  const withWrongKey = async <T>(work: () => Promise<T>): Promise<T> => {
    expect(connector().rotateSecret?.("api", new Secret(Buffer.from("key_of_yesterday")))).toBe(true);
    return work().finally(() => connector().rotateSecret?.("api", undefined));
  };
  const authorized = async () => {
    const asked = command({ capture: true });
    expect(await connector().authorize(asked, testCard("approved"), call())).toMatchObject({ kind: "approved" });
    return asked;
  };

  test("does not end a reversal, which is carried out afterwards", async () => {
    const { reference: originalReference, merchantId, paymentId, amount, currency } = await authorized();
    const original = { originalReference, authorizationReference: originalReference, merchantId, paymentId, amount, currency };
    const reversal = { ...original, reference: newId("reversal"), isPurchase: true };
    expect(await withWrongKey(() => connector().reverse(reversal, call()))).toMatchObject(turnedAway);
    expect(await world.effects(originalReference)).toBe(1);
    expect(await connector().reverse(reversal, call())).toMatchObject({ kind: "approved" });
    expect(await world.effects(originalReference)).toBe(0);
  });

  test("does not say that a movement failed that was carried out before", async () => {
    const { reference: authorizationReference, merchantId, currency } = await authorized();
    const link = { authorizationReference, processorReference: "", merchantId };
    const refund = { ...link, reference: newId("refund"), amount: 300n, currency, reason: "returned", isPurchase: true };
    const refused = { ...refund, reference: newId("refund") };
    expect(await withWrongKey(() => connector().refund(refused, call()))).toMatchObject(turnedAway);
    await world.fail(refund.reference, "reset_after_approval");
    await connector().refund(refund, call());
    expect(await world.effects(refund.reference)).toBe(1);
    expect(await withWrongKey(() => connector().refund(refund, call()))).toMatchObject({ kind: "unknown" });
    expect(await world.effects(refund.reference)).toBe(1);
  });

  test("ends an authorization, which is sent once, and is not the card's fault", async () => {
    const asked = command();
    const refused = await withWrongKey(() => connector().authorize(asked, testCard("approved"), call()));
    expect(refused).toEqual({ kind: "not_sent", cause: "key_refused" });
    expect(await world.effects(asked.reference)).toBe(0);
  });
});
