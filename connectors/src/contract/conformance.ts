/**
 * What every connector must do, as tests. Call `connectorConformance` from a server test with a world that can misbehave on command.
 *
 * A world stands for the processor and the network: it sets faults, says what the processor's own books hold, and can go away. What a
 * processor does not offer is said before the world begins, so that its cases are other ones and none is skipped.
 */
import { Secret } from "@florin/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ConformanceFault, unclear, unclearFaults } from "./conformance-faults.ts";
import type { AuthorizeCommand, Capabilities, Card, Connector, ConnectorCall } from "./connector.ts";
import type { Outcome } from "./outcome.ts";
import { operationKindOf, type Question } from "./question.ts";

/** What decides which cases there are: as the connector declares it, which is a case of its own. */
export type ConformanceTraits = Pick<Capabilities, "query" | "reversal" | "multipleCaptures"> & {
  /** Faults that this processor's language does not have, each with the reason. */
  readonly cannot: Readonly<Partial<Record<ConformanceFault, string>>>;
};

export type ConformanceWorld = {
  readonly connector: Connector;
  /** The same connector towards an address where nobody listens. */
  readonly unreachable: Connector;
  /** The next operation with this reference meets the fault, once. */
  fail(reference: string, fault: ConformanceFault): Promise<void>;
  /** How many effects the processor's own books hold under this reference. */
  effects(reference: string): Promise<number>;
  /** Cards by what the processor does with them; a wiped card is never handed out twice. */
  card(kind: "approved" | "insufficient_funds" | "lost_card" | "refund_fails"): Card;
  newReference(kind: "attempt" | "capture" | "void" | "refund" | "reversal"): string;
  newPaymentId(): string;
  readonly merchantId: string;
  /** How long the processor takes to settle a refund, ms. */
  readonly refundDelayMs: number;
  stop(): Promise<void>;
};

const patienceMs = 400;

export function connectorConformance(name: string, traits: ConformanceTraits, start: () => Promise<ConformanceWorld>): void {
  const { cannot, ...declared } = traits;
  const possible = unclear.filter((fault) => cannot[fault] === undefined);
  describe(`${name} conforms`, () => {
    let world: ConformanceWorld;
    beforeAll(async () => {
      world = await start();
    });
    afterAll(async () => {
      await world?.stop();
    });

    const call = (timeoutMs = 5_000): ConnectorCall => ({ deadlineAtMs: Date.now() + timeoutMs, traceparent: "" });
    const command = (change: Partial<AuthorizeCommand> = {}): AuthorizeCommand => ({
      reference: world.newReference("attempt"),
      merchantId: world.merchantId,
      paymentId: world.newPaymentId(),
      merchantReference: "",
      amount: 1_000n,
      currency: "EUR",
      capture: false,
      ...change,
    });
    const authorized = async (change: Partial<AuthorizeCommand> = {}, card = world.card("approved")) => {
      const asked = command(change);
      const outcome = await world.connector.authorize(asked, card, call());
      expect(outcome.kind).toBe("approved");
      const processorReference = outcome.kind === "approved" ? outcome.words.processorReference : "";
      return { authorizationReference: asked.reference, processorReference, merchantId: asked.merchantId };
    };
    const refundOf = (link: Awaited<ReturnType<typeof authorized>>, amount: bigint) => ({
      ...{ ...link, reference: world.newReference("refund") },
      ...{ amount, currency: "EUR", reason: "returned", isPurchase: true },
    });
    /** What a query says, where there is one: the books have been looked at in any case. */
    const expectQueried = async (reference: string, expected: "not_found" | Partial<Outcome>, amount?: bigint): Promise<void> => {
      if (!declared.query) return;
      const answer = await queried(reference, amount);
      if (expected === "not_found") expect(answer).toBe("not_found");
      else expect(answer).toMatchObject(expected);
    };
    /** With the amount of most cases here; a void has none. */
    const about = (reference: string, amount = 1_000n): Question => {
      const kind = operationKindOf(reference);
      if (kind === "void") return { reference, kind, amount: undefined, currency: undefined };
      return { reference, kind, amount, currency: "EUR" };
    };
    const queried = async (reference: string, amount?: bigint): Promise<Outcome | "not_found"> => {
      const answer = await world.connector.query(about(reference, amount), call());
      return answer.kind === "found" ? answer.outcome : "not_found";
    };

    test("what it declares is what it is measured by", () => {
      expect(world.connector.capabilities).toMatchObject(declared);
    });

    test("how it finds out what nobody knows rests on what it can do", () => {
      const { unknownStrategy, query, reversal, idempotent } = world.connector.capabilities;
      expect({ query, repeat: idempotent, reverse: reversal && idempotent, file: true }[unknownStrategy]).toBe(true);
    });

    describe("authorize", () => {
      test("an approval is final and carries the processor's words", async () => {
        const outcome = await world.connector.authorize(command(), world.card("approved"), call());
        expect(outcome).toMatchObject({ kind: "approved", isFinal: true });
        if (outcome.kind === "approved") {
          expect(outcome.words.processorReference).not.toBe("");
          expect(outcome.words.responseCode).not.toBe("");
          expect(outcome.words.authCode).not.toBe("");
        }
      });

      test("a decline comes in our words", async () => {
        const poor = await world.connector.authorize(command(), world.card("insufficient_funds"), call());
        expect(poor).toMatchObject({ kind: "declined", reason: "insufficient_funds" });
        const lost = await world.connector.authorize(command(), world.card("lost_card"), call());
        expect(lost).toMatchObject({ kind: "declined", reason: "lost_card" });
      });

      test("a repeated reference has one effect and the same answer, also at the same time", async () => {
        const asked = command();
        const first = await world.connector.authorize(asked, world.card("approved"), call());
        const again = await Promise.all(Array.from({ length: 8 }, () => world.connector.authorize(asked, world.card("approved"), call())));
        for (const outcome of again) expect(outcome).toEqual(first);
        expect(await world.effects(asked.reference)).toBe(1);
      });

      test("a reference with another amount is not another charge", async () => {
        const asked = command();
        await world.connector.authorize(asked, world.card("approved"), call());
        const other = await world.connector.authorize({ ...asked, amount: 999n }, world.card("approved"), call());
        expect(other.kind).toBe("unknown");
        expect(await world.effects(asked.reference)).toBe(1);
      });

      test("the largest amount goes through to the last digit", async () => {
        const asked = command({ amount: 999_999_999_999n });
        expect(await world.connector.authorize(asked, world.card("approved"), call())).toMatchObject({ kind: "approved" });
      });

      test("text from the merchant cannot change the request", async () => {
        const odd = command({ merchantReference: 'order "7"}\r\nx-evil: 1\té漢' });
        expect(await world.connector.authorize(odd, world.card("approved"), call())).toMatchObject({ kind: "approved" });
      });
    });

    describe("when nobody can say what happened", () => {
      test.each(possible)("%s is unknown, and a query tells whether there was a charge", async (fault) => {
        const { cause, effects } = unclearFaults[fault];
        const asked = command();
        await world.fail(asked.reference, fault);
        const startedAtMs = performance.now();
        expect(await world.connector.authorize(asked, world.card("approved"), call(patienceMs))).toMatchObject({ kind: "unknown", cause });
        // Whatever the processor does, the caller's deadline holds; a dripped answer would take far longer.
        expect(performance.now() - startedAtMs).toBeLessThan(10 * patienceMs);
        expect(await world.effects(asked.reference)).toBe(effects);
        await expectQueried(asked.reference, effects === 0 ? "not_found" : { kind: "approved", isFinal: true });
      });

      test("asking again with the same reference after an unknown outcome charges once", async () => {
        const asked = command();
        await world.fail(asked.reference, "reset_after_approval");
        await world.connector.authorize(asked, world.card("approved"), call());
        expect(await world.connector.authorize(asked, world.card("approved"), call())).toMatchObject({ kind: "approved" });
        expect(await world.effects(asked.reference)).toBe(1);
      });

      test("an answer that comes twice is one approval of one charge", async () => {
        const asked = command();
        await world.fail(asked.reference, "duplicate_answer");
        expect(await world.connector.authorize(asked, world.card("approved"), call())).toMatchObject({ kind: "approved", isFinal: true });
        expect(await world.effects(asked.reference)).toBe(1);
        // The second copy is nobody's answer.
        const next = command();
        expect(await world.connector.authorize(next, world.card("insufficient_funds"), call())).toMatchObject({ kind: "declined" });
        expect(await world.effects(next.reference)).toBe(0);
      });

      test("a late answer within the deadline is an answer", async () => {
        const asked = command();
        await world.fail(asked.reference, "delay");
        expect(await world.connector.authorize(asked, world.card("approved"), call(20_000))).toMatchObject({ kind: "approved" });
      });

      test("answers that come twice never meet another request", async () => {
        const asked = Array.from({ length: 20 }, () => command());
        for (const one of asked.slice(0, 5)) await world.fail(one.reference, "duplicate_answer");
        const outcomes = await Promise.all(asked.map((one) => world.connector.authorize(one, world.card("approved"), call())));
        for (const outcome of outcomes) expect(["approved", "unknown"]).toContain(outcome.kind);
        const references = outcomes.map((outcome) => (outcome.kind === "approved" ? outcome.words.processorReference : ""));
        const known = references.filter((reference) => reference !== "");
        expect(new Set(known).size).toBe(known.length);
        for (const one of asked) {
          await expectQueried(one.reference, { kind: "approved" });
          expect(await world.effects(one.reference)).toBe(1);
        }
      });
    });

    describe("a card", () => {
      const digitsOf = (card: Card) => [card.number, card.securityCode, card.pin?.block].flatMap((secret) => [...(secret?.expose() ?? [])]);
      const cardWithPin = (): Card => ({
        ...world.card("approved"),
        pin: { block: new Secret(Buffer.alloc(8, 0xa5)), keySerialNumber: "" },
      });

      test("is wiped once it is in the request, while the processor still thinks", async () => {
        const asked = command();
        const card = cardWithPin();
        await world.fail(asked.reference, "timeout_after_charge");
        let isAnswered = false;
        const outcome = world.connector.authorize(asked, card, call(5 * patienceMs)).finally(() => {
          isAnswered = true;
        });
        await expect.poll(() => world.effects(asked.reference)).toBe(1);
        expect(digitsOf(card).every((byte) => byte === 0)).toBe(true);
        expect(isAnswered).toBe(false);
        expect(await outcome).toMatchObject({ kind: "unknown" });
      });

      test("is wiped although nothing was sent", async () => {
        const card = cardWithPin();
        expect(await world.unreachable.authorize(command(), card, call())).toMatchObject({ kind: "not_sent" });
        expect(digitsOf(card).every((byte) => byte === 0)).toBe(true);
      });
    });

    describe("when nothing left our house", () => {
      test("a refused connection is not_sent", async () => {
        const outcome = await world.unreachable.authorize(command(), world.card("approved"), call());
        expect(outcome).toEqual({ kind: "not_sent", cause: "not_connected" });
        expect(world.unreachable.isUp()).toBe(false);
      });

      test("a deadline that has passed is not_sent", async () => {
        const asked = command();
        const outcome = await world.connector.authorize(asked, world.card("approved"), { deadlineAtMs: Date.now() - 1, traceparent: "" });
        expect(outcome).toEqual({ kind: "not_sent", cause: "deadline_exceeded" });
        expect(await world.effects(asked.reference)).toBe(0);
      });
    });

    describe("ping", () => {
      test("tells whether the processor answers", async () => {
        expect(await world.connector.ping(call())).toMatchObject({ kind: "up" });
        expect(await world.unreachable.ping(call())).toEqual({ kind: "down" });
      });
    });

    test("a processor that cannot be asked has not said no", async () => {
      const answer = await world.unreachable.query(about(world.newReference("attempt")), call());
      expect(answer).toEqual({ kind: "found", outcome: { kind: "unknown", cause: "not_reached" } });
    });

    if (!declared.query) {
      test("a processor without a query has said neither yes nor no, whatever is in its books", async () => {
        const { authorizationReference } = await authorized();
        for (const reference of [authorizationReference, world.newReference("attempt")]) {
          const answer = await world.connector.query(about(reference), call());
          expect(answer).toEqual({ kind: "found", outcome: { kind: "unknown", cause: "not_reached" } });
        }
      });
    } else {
      describe("query", () => {
        test("finds what was declined", async () => {
          const asked = command();
          await world.connector.authorize(asked, world.card("insufficient_funds"), call());
          expect(await queried(asked.reference)).toMatchObject({ kind: "declined", reason: "insufficient_funds" });
        });

        test.each([
          ["amount", { amount: 999n }],
          ["currency", { currency: "USD" }],
        ])("what the processor has booked with another %s is no answer to the question", async (_what, sentWith) => {
          const asked = command();
          await world.connector.authorize({ ...asked, ...sentWith }, world.card("approved"), call());
          expect(await queried(asked.reference)).toEqual({ kind: "unknown", cause: "answer_mismatch" });
          const link = { authorizationReference: (await authorized({ capture: true })).authorizationReference, processorReference: "" };
          const refund = { ...link, merchantId: world.merchantId, reference: world.newReference("refund"), amount: 300n, currency: "EUR" };
          await world.connector.refund({ ...refund, reason: "returned", isPurchase: true }, call());
          expect(await queried(refund.reference, 301n)).toEqual({ kind: "unknown", cause: "answer_mismatch" });
        });

        test("what was never sent is surely not there", async () => {
          expect(await queried(world.newReference("attempt"))).toBe("not_found");
        });

        test.each(possible)("one that meets %s has not said no", async (fault) => {
          const asked = command();
          await world.connector.authorize(asked, world.card("approved"), call());
          await world.fail(asked.reference, fault);
          const answer = await world.connector.query(about(asked.reference), call(patienceMs));
          expect(answer).toMatchObject({ kind: "found", outcome: { kind: "unknown", cause: unclearFaults[fault].cause } });
          expect(await queried(asked.reference)).toMatchObject({ kind: "approved" });
        });

        test("a processor that denies what it has booked is told to the switch as it is, which does not believe it at once", async () => {
          const asked = command();
          await world.connector.authorize(asked, world.card("approved"), call());
          await world.fail(asked.reference, "denied_query");
          expect(await queried(asked.reference)).toBe("not_found");
          expect(await world.effects(asked.reference)).toBe(1);
          expect(await queried(asked.reference)).toMatchObject({ kind: "approved" });
        });

        test("a refund is accepted first and final later", async () => {
          const link = await authorized({ capture: true });
          const refund = refundOf(link, 300n);
          expect(await world.connector.refund(refund, call())).toMatchObject({ kind: "approved", isFinal: false });
          await new Promise((resolve) => setTimeout(resolve, world.refundDelayMs + 50));
          expect(await queried(refund.reference, 300n)).toMatchObject({ kind: "approved", isFinal: true });
          const tooMuch = { ...refund, reference: world.newReference("refund"), amount: 701n };
          expect(await world.connector.refund(tooMuch, call())).toMatchObject({ kind: "declined", reason: "invalid_amount" });
        });

        test("a refund that fails later is a decline when it is asked about", async () => {
          const link = await authorized({ capture: true }, world.card("refund_fails"));
          const refund = refundOf(link, 1_000n);
          expect(await world.connector.refund(refund, call())).toMatchObject({ kind: "approved", isFinal: false });
          await new Promise((resolve) => setTimeout(resolve, world.refundDelayMs + 50));
          expect(await queried(refund.reference)).toMatchObject({ kind: "declined" });
        });
      });
    }

    if (declared.reversal)
      describe("reversal", () => {
        const reverse = (
          of: { reference: string; paymentId: string; amount: bigint; capture?: boolean },
          authorizationReference: string,
          reference: string,
        ) =>
          world.connector.reverse(
            {
              reference,
              originalReference: of.reference,
              authorizationReference,
              merchantId: world.merchantId,
              paymentId: of.paymentId,
              amount: of.amount,
              currency: "EUR",
              isPurchase: of.capture === true,
            },
            call(),
          );

        test("what was charged is no charge any more, however often it is asked for", async () => {
          const asked = command({ capture: true });
          await world.connector.authorize(asked, world.card("approved"), call());
          const reference = world.newReference("reversal");
          for (let times = 0; times < 3; times++)
            expect(await reverse(asked, asked.reference, reference)).toMatchObject({ kind: "approved" });
          expect(await world.effects(asked.reference)).toBe(0);
          await expectQueried(asked.reference, { kind: "declined" });
          const link = { authorizationReference: asked.reference, processorReference: "", merchantId: world.merchantId };
          const refund = refundOf(link, 1n);
          expect(await world.connector.refund(refund, call())).toMatchObject({ kind: "declined" });
        });

        test("an authorization that comes after its reversal has no effect", async () => {
          const asked = command();
          expect(await reverse(asked, asked.reference, world.newReference("reversal"))).toMatchObject({ kind: "approved" });
          expect(await world.connector.authorize(asked, world.card("approved"), call())).toMatchObject({ kind: "declined" });
          expect(await world.effects(asked.reference)).toBe(0);
        });

        test("a capture is given back, also one that comes later, and the hold is as before", async () => {
          const asked = command();
          await world.connector.authorize(asked, world.card("approved"), call());
          const link = { authorizationReference: asked.reference, processorReference: "", merchantId: world.merchantId };
          const captures = [world.newReference("capture"), world.newReference("capture")];
          const capture = (reference: string, amount: bigint) =>
            world.connector.capture({ ...link, reference, amount, currency: "EUR" }, call());
          expect(await capture(captures[0] as string, 400n)).toMatchObject({ kind: "approved" });
          for (const reference of captures) {
            const of = { reference, paymentId: asked.paymentId, amount: 400n };
            expect(await reverse(of, asked.reference, world.newReference("reversal"))).toMatchObject({ kind: "approved" });
            expect(await capture(reference, 400n)).toMatchObject({ kind: "declined" });
          }
          expect(await capture(world.newReference("capture"), 1_000n)).toMatchObject({ kind: "approved" });
        });

        test("a void that released the hold cannot be undone", async () => {
          const asked = command();
          await world.connector.authorize(asked, world.card("approved"), call());
          const link = { authorizationReference: asked.reference, processorReference: "", merchantId: world.merchantId };
          const release = { ...link, reference: world.newReference("void") };
          expect(await world.connector.void(release, call())).toMatchObject({ kind: "approved" });
          const of = { reference: release.reference, paymentId: asked.paymentId, amount: 1_000n };
          expect(await reverse(of, asked.reference, world.newReference("reversal"))).toMatchObject({ kind: "declined" });
          const never = { ...of, reference: world.newReference("void") };
          expect(await reverse(never, asked.reference, world.newReference("reversal"))).toMatchObject({ kind: "approved" });
        });

        test("a processor that cannot be reached has not reversed", async () => {
          const asked = command();
          const { reference: originalReference, merchantId, paymentId, amount, currency } = asked;
          const reversal = {
            originalReference,
            authorizationReference: originalReference,
            merchantId,
            paymentId,
            amount,
            currency,
            isPurchase: false,
          };
          const outcome = await world.unreachable.reverse({ ...reversal, reference: world.newReference("reversal") }, call());
          expect(outcome).toMatchObject({ kind: "not_sent" });
        });
      });

    describe("capture, void and refund", () => {
      test("a refund that will be refused is never called final", async () => {
        const link = await authorized({ capture: true }, world.card("refund_fails"));
        const refund = refundOf(link, 300n);
        const outcome = await world.connector.refund(refund, call());
        expect(outcome.kind === "approved" && outcome.isFinal).toBe(false);
      });

      if (declared.multipleCaptures)
        test("captures in parts up to the hold, by the processor's id or by our reference", async () => {
          const link = await authorized();
          const part = { reference: world.newReference("capture"), amount: 400n, currency: "EUR" };
          expect(await world.connector.capture({ ...link, ...part }, call())).toMatchObject({ kind: "approved", isFinal: true });
          const rest = { reference: world.newReference("capture"), amount: 600n, currency: "EUR" };
          expect(await world.connector.capture({ ...link, processorReference: "", ...rest }, call())).toMatchObject({ kind: "approved" });
          const more = { reference: world.newReference("capture"), amount: 1n, currency: "EUR" };
          expect(await world.connector.capture({ ...link, ...more }, call())).toMatchObject({ kind: "declined" });
        });

      const movements = {
        capture: async (reference: string) => {
          const capture = { ...(await authorized()), reference, amount: 400n, currency: "EUR" };
          return (patience: ConnectorCall) => world.connector.capture(capture, patience);
        },
        void: async (reference: string) => {
          const release = { ...(await authorized()), reference };
          return (patience: ConnectorCall) => world.connector.void(release, patience);
        },
        refund: async (reference: string) => {
          const refund = {
            ...(await authorized({ capture: true })),
            reference,
            amount: 400n,
            currency: "EUR",
            reason: "returned",
            isPurchase: true,
          };
          return (patience: ConnectorCall) => world.connector.refund(refund, patience);
        },
      } as const;
      const unclearMovements = (["capture", "void", "refund"] as const).flatMap((movement) =>
        (["timeout_after_charge", "reset_after_approval", "garbage", "outage"] as const).map((fault) => [movement, fault] as const),
      );

      test.each(unclearMovements)("a %s that meets %s is unknown, and asked again it has at most one effect", async (movement, fault) => {
        const { cause, effects } = unclearFaults[fault];
        const reference = world.newReference(movement);
        const ask = await movements[movement](reference);
        await world.fail(reference, fault);
        expect(await ask(call(patienceMs))).toMatchObject({ kind: "unknown", cause });
        expect(await world.effects(reference)).toBe(effects);
        if (effects === 0 && !world.connector.capabilities.idempotent) {
          // What was sent once is not sent again to a processor that would do it twice: the switch decides what is to be done.
          expect(await ask(call())).toMatchObject({ kind: "unknown", cause: "not_repeated" });
          expect(await world.effects(reference)).toBe(0);
          return;
        }
        expect(await ask(call())).toMatchObject({ kind: "approved" });
        expect(await world.effects(reference)).toBe(1);
        await expectQueried(reference, { kind: "approved" }, 400n);
      });

      test("a void releases the hold once; afterwards there is nothing to capture", async () => {
        const link = await authorized();
        expect(await world.connector.void({ ...link, reference: world.newReference("void") }, call())).toMatchObject({ kind: "approved" });
        expect(await world.connector.void({ ...link, reference: world.newReference("void") }, call())).toMatchObject({ kind: "declined" });
        const capture = { ...link, reference: world.newReference("capture"), amount: 1n, currency: "EUR" };
        expect(await world.connector.capture(capture, call())).toMatchObject({ kind: "declined" });
      });

      test("a movement of an authorization that the processor does not know is declined", async () => {
        const nobody = { authorizationReference: world.newReference("attempt"), processorReference: "", merchantId: world.merchantId };
        const outcome = await world.connector.void({ ...nobody, reference: world.newReference("void") }, call());
        expect(outcome).toMatchObject({ kind: "declined", reason: "transaction_not_allowed" });
      });
    });
  });
}
