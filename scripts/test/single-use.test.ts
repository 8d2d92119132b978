/** One single-use token, 64 payments at once, through a whole stack: the acquirer's books hold one charge. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UpFile } from "../up/state-files.ts";
import { chargesOf, down, up } from "./command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "florin-once-"));
const payments = 64;
let stack: UpFile;

beforeAll(async () => {
  stack = await up(directory);
});
afterAll(async () => {
  await down(directory);
  rmSync(directory, { recursive: true, force: true });
});

type Answer = { readonly status: number; readonly body: Record<string, unknown> };

async function ask(url: string, init: RequestInit & { headers: Record<string, string> }): Promise<Answer> {
  const response = await fetch(url, init);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function makeToken(usage: string): Promise<string> {
  const { status, body } = await ask(`${stack.vaultUrl}/v1/tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${stack.publishableKey}`, "content-type": "application/json" },
    body: JSON.stringify({ card: { number: "4242424242424242", exp_month: 12, exp_year: 2035, cvc: "123" }, usage }),
  });
  expect(status).toBe(201);
  return String(body["id"]);
}

const atEdge = (method: string, path: string, body?: unknown, key = "") =>
  ask(`${stack.edgeUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${stack.secretKey}`,
      ...(body === undefined ? {} : { "content-type": "application/json", "idempotency-key": key }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

const pay = (token: string, reference: string, index: number) =>
  atEdge(
    "POST",
    "/v1/payments/authorize",
    { amount: 1_000, currency: "EUR", payment_method: { type: "card", token }, merchant_reference: reference },
    `${reference}-${index}`,
  );

const codeOf = ({ status, body }: Answer) => `${status} ${(body["error"] as { code?: string } | undefined)?.code ?? ""}`;

test("64 payments with one single-use token make one charge, and the others hear why", async () => {
  const [token, reference] = [await makeToken("single_use"), `once-${Date.now()}`];
  const answers = await Promise.all(Array.from({ length: payments }, (_, index) => pay(token, reference, index)));
  const counts = Object.groupBy(answers, codeOf);
  expect(Object.fromEntries(Object.entries(counts).map(([code, list]) => [code, list?.length]))).toEqual({
    "201 ": 1,
    "409 token_already_used": payments - 1,
  });
  expect(await chargesOf(stack, reference)).toBe(1);
  const { body } = await atEdge("GET", `/v1/tokens/${token}`);
  expect(body).toMatchObject({ usage: "single_use", used_by: answers.find(({ status }) => status === 201)?.body["id"], livemode: false });
  // Every repetition hears the same again, and charges nothing.
  const again = await Promise.all(Array.from({ length: payments }, (_, index) => pay(token, reference, index)));
  expect(again.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1);
  expect(await chargesOf(stack, reference)).toBe(1);
});

test("a reusable token pays as often as it is asked to, until it is deleted", async () => {
  const [token, reference] = [await makeToken("reusable"), `often-${Date.now()}`];
  const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => pay(token, reference, index)));
  expect(answers.map(codeOf)).toEqual(Array.from({ length: 8 }, () => "201 "));
  expect(await chargesOf(stack, reference)).toBe(8);
  for (let round = 0; round < 2; round++)
    expect(await atEdge("DELETE", `/v1/tokens/${token}`)).toEqual({ status: 200, body: { id: token, deleted: true } });
  expect(codeOf(await atEdge("GET", `/v1/tokens/${token}`))).toBe("410 token_deleted");
  expect(codeOf(await pay(token, reference, 8))).toBe("410 token_deleted");
  expect(await chargesOf(stack, reference)).toBe(8);
});
