/** One payment through every REST path, on the real parts, in both profiles. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authorizeBody, call, callUntilDecided, hasFullProfile, type Stack, startStack, tokenize } from "./stack.ts";

for (const profile of ["embedded", "full"] as const)
  describe.skipIf(profile === "full" && !hasFullProfile)(`in the ${profile} profile`, () => {
    let stack: Stack;

    beforeAll(async () => {
      stack = await startStack({ profile });
    });
    afterAll(async () => {
      await stack?.stop();
    });

    test("the parts that the profile promises are there", () => {
      if (profile === "embedded") expect([stack.redisUrl, stack.natsUrl]).toEqual([null, null]);
      else expect([stack.redisUrl, stack.natsUrl]).not.toContain(null);
    });

    test("create, authorize, capture twice, refund twice, read, list, timeline", async () => {
      const reference = `order-${randomUUID()}`;
      const created = await call(stack, "POST", "/v1/payments", {
        amount: 10_000,
        currency: "EUR",
        merchant_reference: reference,
        metadata: { cart: "7" },
      });
      expect(created.status).toBe(201);
      expect(created.body).toMatchObject({
        status: "created",
        amount: 10_000,
        amount_authorized: 0,
        merchant_reference: reference,
        metadata: { cart: "7" },
      });
      const path = `/v1/payments/${created.body["id"]}`;

      const token = await tokenize(stack, "5555555555554444");
      const authorized = await call(stack, "POST", `${path}/authorize`, { payment_method: { type: "card", token } });
      expect(authorized.body).toMatchObject({
        status: "authorized",
        amount_authorized: 10_000,
        amount_captured: 0,
        amount_refunded: 0,
        amount_remaining: 10_000,
      });
      expect(authorized.body["fraud_check"]).toMatchObject({ risk_level: "low" });
      expect(authorized.body["processor_response"]).toMatchObject({ code: "00" });
      expect(Date.parse(String(authorized.body["authorization_expires_at"]))).toBeGreaterThan(Date.now());

      const part = await call(stack, "POST", `${path}/capture`, { amount: 4_000 });
      expect(part.status).toBe(200);
      expect(part.body).toMatchObject({
        status: "partially_captured",
        amount_authorized: 10_000,
        amount_captured: 4_000,
        amount_remaining: 6_000,
      });
      const rest = await call(stack, "POST", `${path}/capture`, { amount: 6_000 });
      expect(rest.body).toMatchObject({ status: "captured", amount_captured: 10_000, amount_remaining: 0 });

      const back = await call(stack, "POST", `${path}/refund`, { amount: 2_500, reason: "one item returned" });
      expect(back.status).toBe(200);
      expect(back.body).toMatchObject({ status: "partially_refunded", amount_refunded: 2_500 });
      expect(back.body["refunds"]).toMatchObject([{ amount: 2_500, reason: "one item returned" }]);
      const all = await call(stack, "POST", `${path}/refund`, { reason: "the rest too" });
      expect(all.body).toMatchObject({ status: "refunded", amount_refunded: 10_000 });

      const read = await call(stack, "GET", path);
      expect(read.body).toMatchObject({ id: created.body["id"], status: "refunded" });
      const listed = await call(stack, "GET", `/v1/payments?merchant_reference=${reference}`);
      expect((listed.body["data"] as { id: string }[]).map((payment) => payment.id)).toEqual([created.body["id"]]);

      const timeline = await call(stack, "GET", `${path}/events`);
      const events = timeline.body["data"] as { sequence: number; type: string; actor: string }[];
      expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1));
      const types = events.map((event) => event.type);
      expect(types.slice(0, 7)).toEqual([
        "payment_created",
        "authorization_requested",
        "payment_authorized",
        "capture_requested",
        "payment_captured",
        "capture_requested",
        "payment_captured",
      ]);
    });

    test("authorize in one call, then void", async () => {
      const authorized = await call(stack, "POST", "/v1/payments/authorize", authorizeBody());
      expect(authorized.status).toBe(201);
      const voided = await call(stack, "POST", `/v1/payments/${authorized.body["id"]}/void`);
      expect(voided.status).toBe(200);
      expect(voided.body).toMatchObject({ status: "voided", amount_captured: 0, amount_remaining: 0 });
    });

    test("create with confirm and automatic capture takes the money at once", async () => {
      const body = authorizeBody({ confirm: true, capture_mode: "automatic" });
      const paid = await call(stack, "POST", "/v1/payments", body);
      expect(paid.status).toBe(201);
      expect(paid.body).toMatchObject({ status: "captured", amount_captured: 10_000 });
    });

    test("a decline is a 402 with the payment in it, and another card may then pay", async () => {
      const token = await tokenize(stack, "4000000000009995");
      const declined = await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ payment_method: { type: "card", token } }));
      expect(declined.status).toBe(402);
      const error = declined.body["error"] as { code: string; decline_code: string; payment: { id: string } };
      expect(error).toMatchObject({ type: "card_error", code: "card_declined", decline_code: "retry_allowed" });
      const again = await call(stack, "POST", `/v1/payments/${error.payment.id}/authorize`, {
        payment_method: { type: "card", token: "tok_visa_4242" },
      });
      expect(again.body).toMatchObject({ id: error.payment.id, status: "authorized" });
    });

    test("the same key gives the same bytes, another body with it is refused", async () => {
      const key = randomUUID();
      const body = authorizeBody();
      const first = await call(stack, "POST", "/v1/payments/authorize", body, { key });
      const replay = await call(stack, "POST", "/v1/payments/authorize", body, { key });
      expect([first.status, replay.status]).toEqual([201, 200]);
      expect(replay.headers.get("idempotent-replayed")).toBe("true");
      expect(replay.text).toBe(first.text);
      const other = await call(stack, "POST", "/v1/payments/authorize", { ...body, amount: 10_001 }, { key });
      expect(other.status).toBe(422);
      expect(other.body["error"]).toMatchObject({ code: "idempotency_key_reuse" });
    });

    test("2,000 requests at once with one key make one charge, and all who get a decision get the same one", async () => {
      const key = randomUUID();
      const body = authorizeBody();
      const answers = await Promise.all(Array.from({ length: 2_000 }, () => call(stack, "POST", "/v1/payments/authorize", body, { key })));
      const seen = new Set(answers.map((answer) => answer.status));
      for (const status of seen) expect([200, 201, 202]).toContain(status);
      expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
      const final = await callUntilDecided(stack, "/v1/payments/authorize", body, key);
      const decided = answers.filter((answer) => answer.status !== 202).map((answer) => answer.text);
      expect(new Set([...decided, final.text]).size).toBe(1);
      const books = (await (await fetch(`${stack.simulatorUrl}/admin/books/charges?payment_id=${final.body["id"]}`)).json()) as {
        count: number;
      };
      expect(books.count).toBe(1);
    });

    test("64 clients capturing, refunding and voiding one payment never break its sums", async () => {
      const authorized = await call(stack, "POST", "/v1/payments/authorize", authorizeBody());
      const path = `/v1/payments/${authorized.body["id"]}`;
      const words = ["capture", "capture", "refund", "void"] as const;
      const bodies = { capture: { amount: 700 }, refund: { amount: 300, reason: "storm" }, void: {} };
      const clients = Array.from({ length: 64 }, async (_, index) => {
        const word = words[index % words.length] as (typeof words)[number];
        const answer = await callUntilDecided(stack, `${path}/${word}`, bodies[word], randomUUID());
        return { word, status: answer.status };
      });
      const answers = await Promise.all(clients);
      for (const answer of answers) expect([200, 400, 402, 409]).toContain(answer.status);
      const succeeded = (word: string) => answers.filter((answer) => answer.word === word && answer.status === 200).length;
      const { body } = await call(stack, "GET", path);
      const amount = (name: string) => Number(body[name]);
      expect(amount("amount_captured")).toBe(700 * succeeded("capture"));
      expect(amount("amount_refunded")).toBe(300 * succeeded("refund"));
      expect(amount("amount_captured")).toBeLessThanOrEqual(amount("amount_authorized"));
      expect(amount("amount_refunded")).toBeLessThanOrEqual(amount("amount_captured"));
      expect(succeeded("void")).toBeLessThanOrEqual(1);
    });
  });
