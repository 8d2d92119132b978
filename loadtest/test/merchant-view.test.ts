/**
 * What a merchant sees of a payment that did not go straight: declined, unknown, refunded in part, refund failed. And who, what, when, before
 * and after, of each.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, authorizeBody, call, type Stack, startStack, untilTrue } from "./stack.ts";

let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ profile: "embedded" });
});
afterAll(async () => {
  await stack?.stop();
});

type Entry = Record<"type" | "actor" | "request_id" | "occurred_at" | "status_before" | "status_after", string> & {
  readonly sequence: number;
  readonly before: unknown;
  readonly after: unknown;
  readonly details: Record<string, string>;
};

const amounts = (authorized: number, captured: number, refunded: number) => ({
  amount_authorized: authorized,
  amount_captured: captured,
  amount_refunded: refunded,
});
const authorize = (changes: Record<string, unknown> = {}, key: string = randomUUID()) =>
  call(stack, "POST", "/v1/payments/authorize", authorizeBody(changes), { key });
const cardOf = (token: string) => ({ payment_method: { type: "card", token } });
const get = async (id: unknown) => (await call(stack, "GET", `/v1/payments/${id}`)).body;
const timelineOf = async (id: unknown) => (await call(stack, "GET", `/v1/payments/${id}/events`)).body["data"] as Entry[];
const simulator = async (path: string, body: unknown) => {
  const headers = { "content-type": "application/json" };
  const { ok } = await fetch(`${stack.simulatorUrl}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  expect(ok).toBe(true);
};

/** Every entry follows from the one before it: a chain without gaps, in time and in what it says. */
function expectChain(entries: readonly Entry[]): void {
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1));
  const [first] = entries;
  expect([first?.status_before, first?.before]).toEqual([null, null]);
  for (const [index, entry] of entries.entries()) {
    const previous = entries[index - 1];
    if (previous === undefined) continue;
    expect([entry.status_before, entry.before]).toEqual([previous.status_after, previous.after]);
    expect(Date.parse(entry.occurred_at)).toBeGreaterThanOrEqual(Date.parse(previous.occurred_at));
  }
}

/** The public part of the key that the merchant used. */
const ownActor = () => `key:${stack.secretKey.split("_")[2]}`;
const requestIdOf = ({ headers }: Answer) => headers.get("request-id");

test("a declined payment says why and whether another try may help, and its timeline who asked", async () => {
  const answer = await authorize(cardOf("tok_visa_declined_insufficient_funds"));
  const error = answer.body["error"] as { code: string; decline_code: string; payment: { id: string } };
  expect([answer.status, error.code, error.decline_code]).toEqual([402, "card_declined", "retry_allowed"]);
  const payment = await get(error.payment.id);
  expect(payment).toEqual(error.payment);
  expect(payment).toMatchObject({
    status: "declined",
    amount: 10_000,
    amount_remaining: 0,
    ...amounts(0, 0, 0),
    authorization_expires_at: null,
    decline: { reason: "insufficient_funds", decline_code: "retry_allowed" },
    processor_response: { code: "51", auth_code: null },
    resolves_by: null,
  });
  const entries = await timelineOf(error.payment.id);
  expectChain(entries);
  expect(entries.map(({ type }) => type)).toEqual(["authorization_requested", "authorization_declined"]);
  for (const entry of entries) expect([entry.actor, entry.request_id]).toEqual([ownActor(), requestIdOf(answer)]);
  expect(entries[1]?.details).toMatchObject({ processor_code: "51", reason: "insufficient_funds" });
});

test("while an outcome is not known the payment says so and until when; then it is found out, and the key gives the answer", async () => {
  const amount = 77_701;
  await simulator("/admin/rules", { fault: "reset_after_approval", match: { amount, operation: "authorization" }, times: 1 });
  const key = randomUUID();
  const body = authorizeBody({ amount });
  const first = await call(stack, "POST", "/v1/payments/authorize", body, { key });
  expect([first.status, first.headers.get("retry-after")]).toEqual([202, "2"]);
  expect(first.body).toMatchObject({ status: "processing", amount, ...amounts(0, 0, 0), processor_response: null });
  expect(Date.parse(String(first.body["resolves_by"]))).toBeGreaterThan(Date.now());

  await untilTrue(async () => (await get(first.body["id"]))["status"] === "authorized", 30_000);
  const replay = await call(stack, "POST", "/v1/payments/authorize", body, { key });
  expect([replay.status, replay.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
  expect(replay.body).toMatchObject({ id: first.body["id"], status: "authorized", amount_remaining: amount, resolves_by: null });

  const entries = await timelineOf(first.body["id"]);
  expectChain(entries);
  expect(entries.map(({ type, actor }) => [type, actor])).toEqual([
    ["authorization_requested", ownActor()],
    ["authorization_unknown", ownActor()],
    ["payment_authorized", "worker:recovery"],
  ]);
  expect(entries[2]).toMatchObject({ request_id: null, before: amounts(0, 0, 0), after: amounts(amount, 0, 0) });
});

test("a refund in part is an object of its own, from processing to succeeded, and what is left can still be given back", async () => {
  const { body } = await authorize({ capture_mode: "automatic" });
  const path = `/v1/payments/${body["id"]}`;
  const answer = await call(stack, "POST", `${path}/refund`, { amount: 2_500, reason: "one of four was broken" });
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ status: "partially_refunded", ...amounts(10_000, 10_000, 2_500), amount_remaining: 0 });
  const [refund] = answer.body["refunds"] as Record<string, string>[];
  expect(refund).toMatchObject({ status: "processing", amount: 2_500, reason: "one of four was broken", failure_reason: null });
  expect(refund?.["id"]).toMatch(/^ref_[0-9a-z]{26}$/);
  expect(Date.parse(String(refund?.["estimated_arrival"]))).toBeGreaterThan(Date.now());

  const refundsNow = async () => (await get(body["id"]))["refunds"] as Record<string, string>[];
  await untilTrue(async () => (await refundsNow())[0]?.["status"] === "succeeded", 30_000);
  expect((await refundsNow())[0]).toMatchObject({ id: refund?.["id"], amount: 2_500 });
  const tooMuch = await call(stack, "POST", `${path}/refund`, { amount: 7_501, reason: "more than there is" });
  expect([tooMuch.status, tooMuch.body["error"]]).toEqual([400, expect.objectContaining({ code: "amount_too_large", param: "amount" })]);
  const rest = await call(stack, "POST", `${path}/refund`, { reason: "the others too" });
  expect(rest.body).toMatchObject({ status: "refunded", amount_refunded: 10_000, refunds: [{}, { amount: 7_500 }] });

  const entries = await timelineOf(body["id"]);
  expectChain(entries);
  const accepted = entries.find(({ type }) => type === "refund_accepted");
  expect(accepted).toMatchObject({
    actor: ownActor(),
    request_id: requestIdOf(answer),
    status_before: "captured",
    status_after: "partially_refunded",
    before: amounts(10_000, 10_000, 0),
    after: amounts(10_000, 10_000, 2_500),
  });
  expect(entries.find(({ type }) => type === "refund_requested")?.details).toMatchObject({ reason: "one of four was broken" });
  expect(entries.find(({ type }) => type === "refund_succeeded")?.actor).toBe("worker:recovery");
});

test("a refund that the processor takes and then fails gives the payment back what it was, and says why", async () => {
  const { body } = await authorize({ capture_mode: "automatic", ...cardOf("tok_visa_refund_fails") });
  const taken = await call(stack, "POST", `/v1/payments/${body["id"]}/refund`, { reason: "returned" });
  expect(taken.body).toMatchObject({ status: "refunded", amount_refunded: 10_000 });
  await untilTrue(async () => (await get(body["id"]))["status"] === "captured", 30_000);
  expect(await get(body["id"])).toMatchObject({
    ...amounts(10_000, 10_000, 0),
    refunds: [{ status: "failed", amount: 10_000, failure_reason: expect.stringMatching(/./) }],
  });
  const entries = await timelineOf(body["id"]);
  expectChain(entries);
  expect(entries.at(-1)).toMatchObject({
    type: "refund_failed",
    actor: "worker:recovery",
    status_before: "refunded",
    status_after: "captured",
  });
});

test("the list finds each of them by status, by reference and by time, and pages without loss", async () => {
  const reference = `list-${randomUUID()}`;
  const from = new Date().toISOString();
  const ids: unknown[] = [];
  for (let index = 0; index < 5; index++) ids.unshift((await authorize({ merchant_reference: reference })).body["id"]);
  const list = async (query: string) =>
    (await call(stack, "GET", `/v1/payments?${query}`)).body as {
      data: { id: string; status: string }[];
      next_cursor: string | null;
      has_more: boolean;
    };
  const seen: string[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const page: Awaited<ReturnType<typeof list>> = await list(
      `merchant_reference=${reference}&limit=2${cursor === null ? "" : `&cursor=${cursor}`}`,
    );
    seen.push(...page.data.map(({ id }) => id));
    expect(page.has_more).toBe(page.next_cursor !== null);
    cursor = page.next_cursor;
    pages += 1;
  } while (cursor !== null && pages < 10);
  expect(seen).toEqual(ids);
  expect((await list(`created_from=${from}&limit=100`)).data.map(({ id }) => id)).toEqual(expect.arrayContaining(seen));
  expect((await list(`merchant_reference=${reference}&created_to=${from}`)).data).toEqual([]);
  const declined = (await list("status=declined&limit=100")).data;
  expect(declined.length).toBeGreaterThan(0);
  for (const { status } of declined) expect(status).toBe("declined");
  const strange = await call(stack, "GET", "/v1/payments?cursor=never-made");
  expect([strange.status, strange.body["error"]]).toEqual([400, expect.objectContaining({ code: "cursor_invalid", param: "cursor" })]);
});

test("a reference is used once when the merchant asks for that", async () => {
  const merchant_reference = `once-${randomUUID()}`;
  expect((await authorize({ merchant_reference, unique_reference: true })).status).toBe(201);
  const second = await authorize({ merchant_reference, unique_reference: true });
  expect([second.status, (second.body["error"] as { code: string }).code]).toEqual([409, "reference_not_unique"]);
  expect((await authorize({ merchant_reference })).status).toBe(201);
});
