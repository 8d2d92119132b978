/** The world of issuers over the wire, in both languages: what the model says is what a caller hears, and without it nothing changes. */
import { testCards } from "@florin/kernel/test-cards";
import { afterEach, expect, test } from "vitest";
import { acquirerWays } from "../src/domain/acquirer-ways.ts";
import { createIssuerModel } from "../src/domain/issuer-model.ts";
import { authorizationBody, startSimulator, type TestSimulator } from "./start-simulator.ts";

const seed = Math.floor(Math.random() * 1_000_000) + 1;
const payments = 60;
/** The same at every hour, so that no test hangs on the time of the day. */
const steady = { badHours: undefined, outages: { perHour: 0, minutes: 1 } } as const;
const ways = {
  simpay: { ...acquirerWays.simpay, ...steady, usual: 0.5, special: {} },
  simiso: { ...acquirerWays.simiso, ...steady },
};

let simulator: TestSimulator | undefined;
afterEach(() => simulator?.stop());

async function codesOf(running: TestSimulator, card: string, paymentIds: readonly string[], round: string): Promise<readonly unknown[]> {
  return Promise.all(
    paymentIds.map(async (id) => {
      const body = authorizationBody({ payment_id: id }, { number: card });
      return (await running.call("POST", "/v1/authorizations", body, `${id}-${round}`)).body["response_code"];
    }),
  );
}

const paymentIds = Array.from({ length: payments }, (_, index) => `pay_${index}`);

test("without a world every payment with a good card is approved", async () => {
  simulator = await startSimulator();
  expect(new Set(await codesOf(simulator, testCards.visa.number, paymentIds, "a"))).toEqual(new Set(["00"]));
});

test(`seed ${seed}: what is answered over HTTP is what the model says, for a payment that comes again too`, async () => {
  const issuers = createIssuerModel({ seed, ways });
  simulator = await startSimulator({ issuers });
  const number = testCards.visa.number;
  const region = issuers.regionOf(number.slice(0, 6));
  const expected = paymentIds.map((luck) => issuers.answerOf({ acquirer: "simpay", brand: "visa", region, atMs: Date.now(), luck }));
  expect(new Set(expected).size).toBeGreaterThan(2);
  expect(await codesOf(simulator, number, paymentIds, "a")).toEqual(expected);
  expect(await codesOf(simulator, number, paymentIds, "b")).toEqual(expected);
  expect(new Set(await codesOf(simulator, testCards.declined_lost_card.number, paymentIds, "c"))).toEqual(new Set(["41"]));
  const books = await simulator.call("GET", "/admin/books/summary");
  expect(books.body["authorizations_approved"]).toBe(2 * expected.filter((code) => code === "00").length);
});

test("an acquirer that is out of order books nothing and says so, whatever it is asked", async () => {
  // Each outage lasts beyond the latest begin of the next.
  const always = { ...ways.simpay, outages: { perHour: 1, minutes: 120 } };
  simulator = await startSimulator({ issuers: createIssuerModel({ seed, ways: { ...ways, simpay: always } }) });
  const outage = { status: 503, body: { error: { code: "outage" } } };
  expect(await simulator.call("POST", "/v1/authorizations", authorizationBody(), "att_out")).toMatchObject(outage);
  expect(await simulator.call("GET", "/v1/operations/att_out")).toMatchObject(outage);
  expect((await simulator.call("GET", "/admin/books/charges?reference=att_out")).body).toMatchObject({ count: 0, requests: 0 });
});
