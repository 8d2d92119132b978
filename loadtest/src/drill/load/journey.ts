/**
 * One payment as a merchant lives it: authorize, then capture in parts, void, refund, read, with doubles sent at once and repetitions after
 * every answer that decides nothing. It goes on until each of its operations is decided or `signal` ends it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { between, oneOf, type Random } from "../random.ts";
import { type Answer, type Call, decisionOf, meaningOf, type Operation, readAnswer } from "./call.ts";
import type { MerchantClient } from "./merchant-client.ts";

/** How often a request is doubled, and in how many copies at once. */
export type Doubles = { readonly ratio: number; readonly copiesMin: number; readonly copiesMax: number };

/** A read that contradicts what the merchant had been told before it asked. */
export type BadRead = { readonly key: string; readonly words: string };

export type JourneyOptions = {
  readonly name: string;
  readonly client: MerchantClient;
  readonly random: Random;
  readonly token: string;
  readonly doubles: Doubles;
  readonly signal: AbortSignal;
  readonly onCall: (call: Call) => void;
  readonly onAnswer: (call: Call, answer: Answer) => void;
  readonly onBadRead: (read: BadRead) => void;
};

const amountMin = 1_000;
const amountMax = 9_999;
const retryMsMin = 100;
const retryMsMax = 2_000;
const readRatio = 0.3;
const replayRatio = 0.5;

type Step = (journey: Journey) => Promise<void>;

/** What follows an authorization. */
const plans: readonly Step[] = [
  async (journey) => {
    await journey.captureParts();
    await journey.refundPart();
  },
  async (journey) => {
    await journey.capture(journey.held);
    await journey.refundPart();
    await journey.refundPart();
  },
  (journey) => journey.captureParts(),
  (journey) => journey.void(),
  async (journey) => {
    await journey.capture(Math.floor(journey.held / 3));
    await journey.void();
  },
  async () => undefined,
];

/** Never throws. */
export async function travel(o: JourneyOptions): Promise<void> {
  const journey = new Journey(o);
  if (!(await journey.authorize())) return;
  await oneOf(o.random, plans)(journey);
  await journey.read();
  await journey.askOnceMore();
}

class Journey {
  readonly #o: JourneyOptions;
  readonly #calls: Call[] = [];
  #paymentId = "";
  #authorized = 0;
  #captured = 0;
  #refunded = 0;

  constructor(o: JourneyOptions) {
    this.#o = o;
  }

  /** What the merchant knows to be left of the hold. */
  get held(): number {
    return this.#authorized - this.#captured;
  }

  async authorize(): Promise<boolean> {
    const { name, random, token } = this.#o;
    const amount = between(random, amountMin, amountMax);
    const body = `{"amount":${amount},"currency":"EUR","payment_method":{"type":"card","token":"${token}"},"capture_mode":"manual","merchant_reference":"${name}"}`;
    const call = this.#begin("authorize", { path: "/v1/payments/authorize", amount, body, key: name });
    const isApproved = await this.#askUntilDecided(call);
    this.#paymentId = call.paymentId ?? "";
    if (isApproved) this.#authorized = amount;
    return isApproved;
  }

  async capture(amount: number): Promise<void> {
    if (amount > 0 && (await this.#move("capture", amount, `{"amount":${amount}}`))) this.#captured += amount;
    await this.#readSometimes();
  }

  /** Two captures, one after the other or both at once. */
  async captureParts(): Promise<void> {
    const first = between(this.#o.random, 1, this.held - 1);
    const rest = this.held - first;
    if (this.#o.random() < 0.5) await Promise.all([this.capture(first), this.capture(rest)]);
    else {
      await this.capture(first);
      await this.capture(rest);
    }
  }

  async void(): Promise<void> {
    await this.#move("void", 0, "{}");
  }

  async refundPart(): Promise<void> {
    const amount = Math.ceil((this.#captured - this.#refunded) / 3);
    if (amount === 0) return;
    if (await this.#move("refund", amount, `{"amount":${amount},"reason":"requested_by_customer"}`)) this.#refunded += amount;
    await this.#readSometimes();
  }

  /** What was told before the question must be in the answer. */
  async read(): Promise<void> {
    const { client, name, onBadRead } = this.#o;
    const [captured, refunded] = [this.#captured, this.#refunded];
    const { status, text } = await client.send({ method: "GET", path: `/v1/payments/${this.#paymentId}` });
    // Away for a moment says nothing about what is there.
    if (status === 0 || status === 429 || status >= 500) return;
    if (status !== 200) return onBadRead({ key: name, words: `is answered ${status} when read` });
    const payment = JSON.parse(text) as { amount_captured: number; amount_refunded: number };
    if (payment.amount_captured < captured || payment.amount_refunded < refunded)
      onBadRead({
        key: name,
        words: `was told ${captured} captured and ${refunded} refunded, and reads ${payment.amount_captured} and ${payment.amount_refunded}`,
      });
  }

  /** A key gives its answer for ever, so now and then it is asked again when all is over. */
  async askOnceMore(): Promise<void> {
    if (this.#o.random() >= replayRatio) return;
    const call = oneOf(this.#o.random, this.#calls);
    if (decisionOf(call) === "yes") await this.#ask(call);
  }

  async #readSometimes(): Promise<void> {
    if (this.#o.random() < readRatio) await this.read();
  }

  #move(operation: Operation, amount: number, body: string): Promise<boolean> {
    const key = `${this.#o.name}-${operation}-${this.#calls.length}`;
    return this.#askUntilDecided(this.#begin(operation, { path: `/v1/payments/${this.#paymentId}/${operation}`, amount, body, key }));
  }

  #begin(operation: Operation, o: Pick<Call, "path" | "amount" | "body" | "key">): Call {
    const call: Call = { ...o, operation, paymentId: this.#paymentId === "" ? undefined : this.#paymentId, answers: [] };
    this.#calls.push(call);
    this.#o.onCall(call);
    return call;
  }

  /** True when the answer was yes, false when it was no or never came. */
  async #askUntilDecided(call: Call): Promise<boolean> {
    const { random, doubles, signal } = this.#o;
    const copies = random() < doubles.ratio ? between(random, doubles.copiesMin, doubles.copiesMax) : 1;
    await Promise.all(Array.from({ length: copies }, () => this.#ask(call)));
    for (let tries = 1; decisionOf(call) === undefined && !signal.aborted; tries++) {
      const asked = call.answers.at(-1)?.retryAfterMs ?? 0;
      const waitMs = Math.min(retryMsMax, Math.max(asked, retryMsMin * 2 ** Math.min(tries, 5)));
      await sleep(waitMs * (0.5 + random() / 2), undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.#ask(call);
    }
    return decisionOf(call) === "yes";
  }

  async #ask(call: Call): Promise<void> {
    const { path, body, key } = call;
    const answer = readAnswer(await this.#o.client.send({ method: "POST", path, body, key }));
    call.answers.push(answer);
    if (meaningOf(answer) === "yes" || answer.code === "card_declined") call.paymentId ??= answer.paymentId;
    this.#o.onAnswer(call, answer);
  }
}
