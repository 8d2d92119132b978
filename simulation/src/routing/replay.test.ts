import { expect, test } from "vitest";
import { comparePlans, missedGates, tableOf } from "./compare.ts";
import { houseOf } from "./houses.ts";
import { parsePlans } from "./plans.ts";
import { readStream, writeStream } from "./recorded-stream.ts";
import { generateStream } from "./stream.ts";
import { answerOf } from "./world-payment.ts";

const streamOf = (seed: number, payments: number) => generateStream({ seed, payments, issuers: houseOf(seed).issuers });
const house = houseOf(17);
const stream = streamOf(17, 4_000);
const anySeed = Math.floor(Math.random() * 1_000_000);

test.each([1, 2, 3, anySeed])("seed %i: smart routing recovers declines, and cost finds the cheapest", (seed) => {
  const compared = comparePlans(streamOf(seed, 4_000), houseOf(seed), parsePlans("listed:1,value:3,cost:3"));
  expect(missedGates(compared)).toEqual([]);
  const [listed, value, cost] = compared;
  expect(listed).toMatchObject({ recovered: 0, cascaded: 0, attemptsPerPayment: 1 });
  // The two figures that are owed, and not by the program that measures them.
  expect([seed, value?.recovered]).toEqual([seed, expect.toSatisfy((percent: number) => percent >= 2)]);
  expect([seed, cost?.cheapestFirst]).toEqual([seed, expect.toSatisfy((percent: number) => percent >= 99)]);
  expect(cost?.feeBps).toBeLessThan(listed?.feeBps ?? 0);
});

test("a plan that owes and misses is named", () => {
  const [listed, value, cost] = comparePlans(stream, house, parsePlans("listed:1,value:3,cost:3"));
  if (listed === undefined || value === undefined || cost === undefined) throw new Error("three plans");
  expect(missedGates([listed, { ...value, recovered: 1.99 }, { ...cost, cheapestFirst: 98.99 }])).toEqual([
    "MISSED: value:3 recovers 1.99 %, owes 2 %",
    "MISSED: cost:3 finds the cheapest for 98.99 %, owes 99 %",
  ]);
});

test("a plan against itself recovers nothing, whatever the ways answer", () => {
  expect(comparePlans(stream, house, parsePlans("value:3,value:3")).map(({ recovered }) => recovered)).toEqual([0, 0]);
});

test("the same seed gives the same table, another seed another one", () => {
  const table = (seed: number) => tableOf(comparePlans(streamOf(seed, 500), houseOf(seed), parsePlans("listed:1,rate:3")));
  expect(table(5)).toBe(table(5));
  expect(table(5)).not.toBe(table(6));
});

test("who the issuer refuses is refused on every way", () => {
  const refused = stream.filter(({ refusal }) => refusal !== undefined);
  expect(refused.length).toBeGreaterThan(100);
  const { issuers } = house;
  const ways = Object.entries(house.networks);
  const outcomes = refused.flatMap((payment) => ways.map(([name, network]) => answerOf({ payment, name, network, issuers })));
  expect(outcomes.filter(({ kind }) => kind === "approved")).toEqual([]);
});

test("a recorded stream is read back as it was, and replays alike", () => {
  const read = readStream(writeStream(stream));
  expect(read).toEqual(stream);
  const plans = parsePlans("listed:1,value:3");
  expect(comparePlans(read, house, plans)).toEqual(comparePlans(stream, house, plans));
});

test("a payment that was recorded before issuers were the simulator's is still read", () => {
  const recorded =
    '{"card":{"network":"visa","funding":"debit","cardCountry":"DE"},"cardFingerprint":"card-0","refusal":"do_not_honor","atMs":1768435200000,"luck":1234567,' +
    '"request":{"paymentId":"pay_1","merchantId":"mer_replay","merchantCountry":"DE","amountMinor":"1999","currency":"EUR","network":"visa","cardCountry":"DE","funding":"debit","needs":["manual_capture"]}}\n';
  const [payment] = readStream(recorded);
  expect(payment).toMatchObject({ refusal: "do_not_honor", luck: 1_234_567, request: { amountMinor: 1_999n } });
  expect(comparePlans(readStream(recorded), house, parsePlans("listed:1"))[0]).toMatchObject({ payments: 1, authorizationRate: 0 });
});

const lines = writeStream(stream.slice(0, 2)).trim().split("\n") as [string, string];
test.each([
  ["no line", ""],
  ["no JSON", "{"],
  ["a payment of nothing", lines[0].replace(/"amountMinor":"\d+"/, '"amountMinor":"0"')],
  ["a currency that is none", lines[0].replace(/"currency":"\w+"/, '"currency":"XXQ"')],
  ["a reason that is none", lines[0].replace(/"atMs"/, '"refusal":"luck","atMs"')],
  ["time that runs backwards", `${lines[1]}\n${lines[0]}`],
])("a recorded stream with %s is refused", (_name, text) => {
  expect(text).not.toBe(lines[0]);
  expect(() => readStream(text)).toThrow();
});

test.each(["", "luck:1", "value", "value:2", Array(9).fill("cost:3").join(",")])("plans %j are refused", (text) => {
  expect(() => parsePlans(text)).toThrow();
});
