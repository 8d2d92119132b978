/** How often cards may be handed in. The buckets of these vaults refill once a minute or slower, so no test depends on its speed. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cardBody, newId, openStage, postToken, type Stage, startVault, type TokenAnswer, type VaultProcess } from "./stage.ts";

const number = "4242424242424242";
const burst = 3;
const slow = { FLORIN_TOKENS_PER_ADDRESS_PER_MINUTE: "1", FLORIN_TOKENS_PER_ADDRESS_BURST: String(burst) };

let stage: Stage;
let key: string;

beforeAll(async () => {
  stage = await openStage();
  key = await stage.key(newId("merchant"));
});

afterAll(async () => {
  await stage?.close();
});

const statuses = (answers: readonly TokenAnswer[]) => answers.map(({ status }) => status);
const inTurn = async (count: number, ask: (index: number) => Promise<TokenAnswer>): Promise<TokenAnswer[]> => {
  const answers: TokenAnswer[] = [];
  for (let index = 0; index < count; index++) answers.push(await ask(index));
  return answers;
};
const tooMany = (message: string) => ({
  error: { type: "rate_limit", code: "rate_limited", message, request_id: expect.stringMatching(/^req_/) },
});

describe("behind a proxy that is trusted, an address", () => {
  let vault: VaultProcess;
  let host = 0;
  let payer: { "x-forwarded-for": string };

  beforeAll(async () => {
    vault = await startVault(stage, { ...slow, FLORIN_TRUSTED_PROXIES: "127.0.0.1" });
  });
  afterAll(async () => {
    await vault?.stop();
  });
  beforeEach(() => {
    host += 1;
    payer = { "x-forwarded-for": `203.0.113.${host}` };
  });

  test("hands in its burst, then is told when to come back, in words that a page can read", async () => {
    const answers = await inTurn(burst + 1, () => postToken(vault, key, cardBody(number), payer));
    expect(statuses(answers)).toEqual([201, 201, 201, 429]);
    const refused = answers.at(-1);
    expect(refused?.body).toEqual(tooMany("too many requests from this address"));
    const retryAfterS = Number(refused?.headers.get("retry-after"));
    expect(retryAfterS).toBeGreaterThan(0);
    expect(retryAfterS).toBeLessThanOrEqual(60);
    expect(refused?.headers.get("access-control-allow-origin")).toBe("*");
    expect(refused?.headers.get("access-control-expose-headers")).toContain("retry-after");
  });

  test("is not held back by another one", async () => {
    await inTurn(burst + 1, () => postToken(vault, key, cardBody(number), payer));
    const neighbour = { "x-forwarded-for": "198.51.100.1" };
    expect((await postToken(vault, key, cardBody(number), neighbour)).status).toBe(201);
  });

  test("is counted for guessed keys and for guessed numbers too", async () => {
    const guesses = [`pk_test_${"0".repeat(26)}`, undefined, key].map((guess) =>
      postToken(vault, guess, cardBody("4242424242424241"), payer),
    );
    expect(statuses(await Promise.all(guesses)).toSorted()).toEqual([400, 401, 401]);
    expect((await postToken(vault, key, cardBody(number), payer)).status).toBe(429);
  });

  test("is counted once for all at the same time", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => postToken(vault, key, cardBody(number), payer)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(burst);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(20 - burst);
  });

  test("is, for IPv6, the whole /64 of one subscriber", async () => {
    const from = (address: string) => postToken(vault, key, cardBody(number), { "x-forwarded-for": address });
    const answers = await inTurn(burst + 1, (index) => from(`2001:db8:0:1::${index + 1}`));
    expect(statuses(answers)).toEqual([201, 201, 201, 429]);
    expect((await from("2001:db8:0:2::1")).status).toBe(201);
  });

  test("asks before a page sends without being counted", async () => {
    const preflight = () => fetch(`${vault.url}/v1/tokens`, { method: "OPTIONS", headers: payer });
    const answers = await Promise.all(Array.from({ length: 10 }, preflight));
    for (const { status } of answers) expect(status).toBe(204);
    expect((await postToken(vault, key, cardBody(number), payer)).status).toBe(201);
  });

  test("refusals are counted", async () => {
    const metrics = await (await fetch(`${vault.adminUrl}/metrics`)).text();
    expect(metrics).toMatch(/vault_rate_limited_total\{\S*by="address"\S* [1-9]/);
  });
});

test("an address cannot be made up where no proxy is trusted", async () => {
  const vault = await startVault(stage, slow);
  const ask = (index: number) => postToken(vault, key, cardBody(number), { "x-forwarded-for": `203.0.113.${index}` });
  expect(statuses(await inTurn(burst + 1, ask))).toEqual([201, 201, 201, 429]);
  await vault.stop();
});

test("a publishable key has a limit of its own, whatever addresses it is used from", async () => {
  const limits = { FLORIN_TOKENS_PER_KEY_PER_MINUTE: "1", FLORIN_TOKENS_PER_KEY_BURST: String(burst) };
  const vault = await startVault(stage, { ...limits, FLORIN_TRUSTED_PROXIES: "127.0.0.1" });
  const other = await stage.key(newId("merchant"));
  const ask = (index: number) => postToken(vault, key, cardBody(number), { "x-forwarded-for": `203.0.113.${index}` });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(index)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(20 - burst);
  expect(refused[0]?.body).toEqual(tooMany("too many cards with this publishable key"));
  expect((await postToken(vault, other, cardBody(number))).status).toBe(201);
  await vault.stop();
});
