/**
 * Merchants' clients: they authorize, capture in parts, void and refund, retry with the same key until they have an answer, send twice at
 * once, reuse a key with another body, and work on one payment from two places.
 */
import { AppError, makeId, toAppError } from "@florin/kernel";
import { authorizeExisting, createOrAuthorize } from "@florin/switch/src/app/authorize-payment.ts";
import { capturePayment, refundPayment, voidPayment } from "@florin/switch/src/app/move-money.ts";
import type { CallerIdentity, OperationAnswer } from "@florin/switch/src/app/operation.ts";
import type { Parts } from "@florin/switch/src/app/parts.ts";
import type { Payment } from "@florin/switch/src/domain/payment/index.ts";
import { Life } from "./engine/life.ts";
import { callOver } from "./fakes/link.ts";
import type { House } from "./house/house.ts";
import type { SwitchReplica } from "./house/switch-replica.ts";
import type { Kind, Told } from "./model/history.ts";

/** What one key stands for. */
type Ask = {
  readonly label: string;
  readonly kind: Kind | "create";
  /** Sends the request to a replica. `variant` 1 is the other body under the same key. */
  readonly send: (parts: Parts, variant: number) => Promise<OperationAnswer>;
  readonly hasVariant: boolean;
};

export type Crowd = {
  /** Everything that was answered, also where the answer got lost on its way. */
  readonly told: readonly Told[];
  readonly violations: readonly string[];
  /** Payments whose clients have not finished. */
  readonly busy: number;
  /** What waits for an answer, in words. */
  waitingFor(): readonly string[];
};

/** Milliseconds. */
const arrivalMs = { min: 200, max: 5_000 };
const clientTimeoutMs = 12_000;
const retryMs = { min: 200, max: 2_500 };
const thinkMs = { min: 0, max: 400 };
const tokensPerRun = 6;
const merchantsMax = 4;
const currencies = ["EUR", "USD", "JPY"] as const;
const duplicateRatio = 0.12;
const otherBodyRatio = 0.04;
const secondClientRatio = 0.12;
const uniqueReferenceRatio = 0.08;
/** Few, so that some orders are paid twice. */
const referencesMax = 12;
const saleRatio = 0.5;
const twoStepsRatio = 0.08;
const voidRatio = 0.12;
const refundRatio = 0.15;
const capturesPerPayment = [0, 0, 1, 1, 2] as const;
/** Merchants who go away without an answer, per attempt. */
const giveUpRatio = 0.01;

type Answered = { readonly answer: OperationAnswer } | { readonly fault: AppError };

export function startMerchants(house: House, replicas: readonly SwitchReplica[], payments: number): Crowd {
  const { world, faults } = house;
  const random = world.random.fork();
  const life = new Life(world, "merchants");
  const told: Told[] = [];
  const violations: string[] = [];
  const waiting = new Set<string>();
  let busy = payments;
  /** How many keys each merchant has used: all of them name their keys alike. */
  const keys = new Map<string, number>();
  /** What was answered from the log, by label and body. */
  const answered = new Set<string>();
  const merchants = Array.from({ length: merchantsMax }, () => makeId("merchant", world.unixMs, random.bytes(10)));
  // Some runs come in a rush, so that batches are full; others leave every payment to itself.
  const withinMs = arrivalMs.min * (arrivalMs.max / arrivalMs.min) ** random.unit();

  /** `wasAnswered`: the request came when the same one had been answered before. */
  const hear = (ask: Ask, { body, wasAnswered }: { body: number; wasAnswered: boolean }, answer: OperationAnswer): void => {
    if (answer.kind === "in_flight") return;
    const { payment, refusal, operationId } = answer;
    const one: Told = {
      label: ask.label,
      body,
      kind: ask.kind,
      isRefused: refusal !== undefined,
      code: refusal?.code ?? "",
      paymentId: payment?.id ?? "",
      version: payment?.version ?? 0,
      operationId,
    };
    told.push(one);
    world.note("told", ask.label, answer.kind, one.code, one.paymentId, one.version);
    const isCommitted = one.version === 0 || (house.store.payments.get(one.paymentId)?.length ?? 0) >= one.version;
    if (!isCommitted) violations.push(`P1 key ${ask.label} was told of ${one.paymentId}/${one.version} before its commit`);
    if (one.version > 0) answered.add(bodyOf(ask, body));
    else if (wasAnswered) violations.push(`P2 key ${ask.label} was answered, and its repetition was told ${one.code}`);
    if (one.code === "idempotency_key_reuse" && !ask.hasVariant) violations.push(`P2 key ${ask.label} is called reused and was not`);
  };

  /** One request on its way to some replica and back. */
  const request = (ask: Ask, variant: number): Promise<Answered> =>
    callOver<Answered>(
      { life, faults },
      {
        timeoutMs: clientTimeoutMs,
        mayRepeat: true,
        serve: (reply) => {
          const { running } = random.pick(replicas);
          const wasAnswered = answered.has(bodyOf(ask, variant));
          if (running === undefined) return reply({ fault: new AppError("unavailable", "the replica is down", { work: "not_done" }) });
          ask.send(running.parts, variant).then(
            (answer) => {
              if (running.life.isOver) return;
              hear(ask, { body: variant, wasAnswered }, answer);
              reply({ answer });
            },
            (thrown: unknown) => {
              if (running.life.isOver) return;
              const fault = toAppError(thrown);
              if (fault.code === "internal") violations.push(`bug: ${ask.kind} ${ask.label}: ${describe(thrown)}`);
              reply({ fault });
            },
          );
        },
      },
    ).catch((thrown: unknown): Answered => ({ fault: toAppError(thrown) }));

  /** Until there is an answer. Undefined: this client has gone away without one. */
  const insist = async (ask: Ask): Promise<Payment | undefined> => {
    waiting.add(ask.label);
    try {
      for (;;) {
        if (ask.hasVariant && random.chance(0.5)) void request(ask, 1);
        if (random.chance(duplicateRatio)) void request(ask, 0);
        const answered = await request(ask, 0);
        if ("answer" in answered && answered.answer.kind !== "in_flight")
          return answered.answer.refusal === undefined ? answered.answer.payment : undefined;
        if (!faults.hasStopped && random.chance(giveUpRatio)) return undefined;
        // Told by when it will be known, and that only the settlement file can say.
        const isPromised = "answer" in answered && (answered.answer.payment?.resolvesByMs ?? 0) > 0;
        if (isPromised && faults.hasStopped && house.awaitsFile) return undefined;
        await life.timing.sleep(random.between(retryMs.min, retryMs.max));
      }
    } finally {
      waiting.delete(ask.label);
    }
  };

  const ask = (
    caller: CallerOf,
    kind: Ask["kind"],
    send: (parts: Parts, key: string, variant: number, caller: CallerIdentity) => Promise<OperationAnswer>,
  ): Ask => {
    const used = keys.get(caller.merchantId) ?? 0;
    keys.set(caller.merchantId, used + 1);
    const key = `key-${used}`;
    const label = `${caller.merchantId.slice(-6)}/${key}`;
    const identity: CallerIdentity = { ...caller, mode: "test", origin: { actor: "key:sim", requestId: label, traceparent: "" } };
    return { label, kind, hasVariant: random.chance(otherBodyRatio), send: (parts, variant) => send(parts, key, variant, identity) };
  };

  const pay = async (): Promise<void> => {
    const caller: CallerOf = { merchantId: random.pick(merchants) };
    const payment = await authorize(caller);
    if (payment === undefined) return;
    const clients = random.chance(secondClientRatio) ? 2 : 1;
    await Promise.all(Array.from({ length: clients }, () => workOn(caller, payment)));
  };

  const authorize = async (caller: CallerOf): Promise<Payment | undefined> => {
    const amount = BigInt(1 + random.below(100_000));
    const attempt = { token: `tok_${random.below(tokensPerRun)}`, customerIp: "" };
    const isTwoSteps = random.chance(twoStepsRatio);
    const command = (variant: number) => ({
      amount: amount + BigInt(variant),
      currency: random.pick(currencies),
      captureMode: isSale ? ("automatic" as const) : ("manual" as const),
      merchantReference: isUnique ? reference : "",
      uniqueReference: isUnique,
      description: "",
      metadata: {},
    });
    const isSale = random.chance(saleRatio);
    const isUnique = random.chance(uniqueReferenceRatio);
    const reference = `order-${random.below(referencesMax)}`;
    const bodies = [command(0), command(1)] as const;
    const first = ask(caller, isTwoSteps ? "create" : "authorize", (parts, idempotencyKey, variant, identity) =>
      createOrAuthorize(parts, {
        caller: identity,
        idempotencyKey,
        payment: bodies[variant === 0 ? 0 : 1],
        attempt: isTwoSteps ? undefined : attempt,
      }),
    );
    const made = await insist(first);
    if (!isTwoSteps || made === undefined) return made;
    return insist(
      ask(caller, "authorize", (parts, idempotencyKey, variant, identity) =>
        authorizeExisting(parts, {
          caller: identity,
          idempotencyKey,
          paymentId: made.id,
          attempt: { ...attempt, token: `${attempt.token}${"x".repeat(variant)}` },
        }),
      ),
    );
  };

  const workOn = async (caller: CallerOf, payment: Payment): Promise<void> => {
    const paymentId = payment.id;
    const part = () => payment.amount / BigInt(1 + random.below(3)) || 1n;
    const capture = (amount: bigint | undefined) =>
      ask(caller, "capture", (parts, idempotencyKey, variant, identity) =>
        capturePayment(parts, { caller: identity, idempotencyKey, paymentId, amount: variant === 0 ? amount : (amount ?? 1n) + 1n }),
      );
    const refund = (amount: bigint | undefined) =>
      ask(caller, "refund", (parts, idempotencyKey, variant, identity) =>
        refundPayment(parts, { caller: identity, idempotencyKey, paymentId, amount, reason: variant === 0 ? "returned" : "other" }),
      );
    const voided = () =>
      ask(caller, "void", (parts, idempotencyKey, variant, identity) =>
        variant === 0
          ? voidPayment(parts, { caller: identity, idempotencyKey, paymentId })
          : capturePayment(parts, { caller: identity, idempotencyKey, paymentId, amount: 1n }),
      );
    const think = () => life.timing.sleep(random.between(thinkMs.min, thinkMs.max));
    if (payment.captureMode === "manual") {
      for (let captures = random.pick(capturesPerPayment); captures > 0; captures--) {
        await think();
        await insist(capture(random.chance(0.4) ? undefined : part()));
      }
      if (random.chance(voidRatio)) {
        await think();
        await insist(voided());
      }
    }
    for (let refunds = random.chance(refundRatio) ? 1 + random.below(2) : 0; refunds > 0; refunds--) {
      await think();
      await insist(refund(random.chance(0.4) ? undefined : part()));
    }
  };

  for (let index = 0; index < payments; index++) {
    world.schedule(random.between(0, withinMs), () => {
      pay().then(
        () => (busy -= 1),
        (thrown: unknown) => {
          violations.push(`bug: a client failed: ${describe(thrown)}`);
          busy -= 1;
        },
      );
    });
  }
  return {
    told,
    violations,
    get busy() {
      return busy;
    },
    waitingFor: () => [...waiting],
  };
}

const bodyOf = ({ label }: Ask, body: number): string => `${label}/${body}`;

type CallerOf = { readonly merchantId: string };

function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause instanceof Error ? ` (${thrown.cause.stack ?? thrown.cause.message})` : "";
  return `${thrown.stack ?? thrown.message}${cause}`.replaceAll("\n", " | ");
}
