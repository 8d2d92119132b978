/** Why a cascade stopped and who was passed over, as the timeline keeps it for whoever asks afterwards. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createOrAuthorize } from "../src/app/authorize-payment.ts";
import type { Parts } from "../src/app/parts.ts";
import { usualLimits } from "../src/domain/limits/index.ts";
import type { HouseLimits } from "../src/domain/routing/index.ts";
import { defaultSettings } from "../src/domain/settings/index.ts";
import { outcomes } from "./processor-double.ts";
import { createCommand, generousLimits, newCaller, openStage, paymentOf, type Stage } from "./stage.ts";

const ranked = ["simpay", "other", "third", "fourth"] as const;
/** A token of a real card; well-known test tokens are not counted. */
const card = { token: "tok_other" } as const;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  stage.vault.lives.set(card.token, { createdAtMs: 1n });
  house(ranked);
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.processor.reset();
  house(ranked);
});

function house(processors: readonly string[]): void {
  stage.house.settings = defaultSettings({ processors, velocity: generousLimits, ...usualLimits });
}

function limitedTo(limits: Partial<HouseLimits>): void {
  const { settings } = stage.house;
  stage.house.settings = { ...settings, limits: { ...settings.limits, ...limits } };
}

function everybodySays(told: typeof outcomes.softDeclined | typeof outcomes.declined): void {
  stage.processor.behave = () => ({ told });
}

/** Replicas with circuits of their own: what one test opens stays closed for the next. */
const fresh = (): Promise<Parts> => stage.replica();

async function eventsOf(parts: Parts, o: Parameters<typeof createCommand>[0] = {}) {
  const { id, merchantId } = paymentOf(await createOrAuthorize(parts, createCommand(o)));
  return (await parts.reader.timeline({ id, merchantId }, { afterSequence: 0, limit: 100 })).map(({ event }) => event);
}
const endOf = async (...asked: Parameters<typeof eventsOf>) => (await eventsOf(...asked)).at(-1);

describe("why nobody else was asked", () => {
  test("stands with the last attempt: no more attempts, no more time, or everybody else is down", async () => {
    everybodySays(outcomes.softDeclined);
    const replica = await fresh();
    const counted: unknown[] = [];
    const count = ((name: string, labels: unknown) => void counted.push([name, labels])) as Parts["metrics"]["count"];
    const stopped = await endOf({ ...replica, metrics: { ...replica.metrics, count } });
    expect(stopped).toMatchObject({ type: "authorization_declined", details: { stopped: "attempts_used" } });
    expect(counted).toContainEqual(["switch_cascade_steps_total", { step: "attempts_used" }]);
    limitedTo({ cascadeWithinMs: -1 });
    expect(await endOf(await fresh())).toMatchObject({ type: "authorization_declined", details: { stopped: "no_time" } });
    house(ranked);
    const parts = await fresh();
    const downBut = (up: readonly string[]): Parts => ({ ...parts, router: { ...parts.router, isUp: (one) => up.includes(one) } });
    const [, ...others] = ranked;
    expect(await endOf(downBut([]))).toMatchObject({ details: { stopped: "no_candidate", passed_over: others.join(",") } });
    const rerouted = (await eventsOf(downBut(["third"]))).find(({ type }) => type === "authorization_rerouted");
    expect(rerouted?.details).toMatchObject({ connector: "third", passed_over: "other" });
  });

  test("is not said where nobody else would have been asked", async () => {
    house(["simpay"]);
    everybodySays(outcomes.softDeclined);
    expect((await endOf(await fresh()))?.details).not.toHaveProperty("stopped");
    house(ranked);
    everybodySays(outcomes.declined);
    expect((await endOf(await fresh()))?.details).not.toHaveProperty("stopped");
  });

  test("is a network's rule where that forbids it", async () => {
    const [parts, caller] = [await fresh(), newCaller()];
    house(["simpay"]);
    everybodySays(outcomes.softDeclined);
    for (let tries = 0; tries < 9; tries++) await endOf(parts, { caller, ...card, key: randomUUID() });
    house(ranked);
    expect((await endOf(parts, { caller, ...card, key: randomUUID() }))?.details).toMatchObject({ stopped: "network_declines_per_day" });
  });
});
