/**
 * The merchants of one fault: payments begin by the clock (open loop), whatever became of those before, and each is lived to its end.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { UpFile } from "../../stack/up-file.ts";
import { oneOf, type Random } from "../random.ts";
import { type Answer, type Call, meaningOf } from "./call.ts";
import { type BadRead, type Doubles, travel } from "./journey.ts";
import { MerchantClient } from "./merchant-client.ts";

export type LoadProfile = { readonly paymentsPerSecond: number; readonly doubles: Doubles };

/** `storm`: few payments, each operation in many copies at once. */
export const loadProfiles = {
  mixed: { paymentsPerSecond: 10, doubles: { ratio: 0.25, copiesMin: 2, copiesMax: 3 } },
  storm: { paymentsPerSecond: 4, doubles: { ratio: 0.9, copiesMin: 8, copiesMax: 24 } },
} as const satisfies Record<string, LoadProfile>;

export type LoadOptions = {
  readonly up: UpFile;
  /** Begins every key and reference of these merchants. */
  readonly name: string;
  readonly tokens: readonly string[];
  readonly random: Random;
  readonly profile: LoadProfile;
};

/** Fits a payment that meets a killed switch, so that merchants repeat; the edge itself waits longer. */
const clientTimeoutMs = 4_000;
const tickMs = 5;

export class Load {
  readonly calls: Call[] = [];
  readonly badReads: BadRead[] = [];
  readonly client: MerchantClient;
  readonly #o: LoadOptions;
  readonly #journeys = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  readonly #listeners = new Set<(answer: Answer) => void>();
  #clock: NodeJS.Timeout | undefined;
  #begun = 0;

  constructor(o: LoadOptions) {
    this.#o = o;
    this.client = new MerchantClient({ edgeUrl: o.up.edgeUrl, secretKey: o.up.secretKey, timeoutMs: clientTimeoutMs });
  }

  get name(): string {
    return this.#o.name;
  }

  start(): void {
    const startedAtMs = performance.now();
    this.#clock = setInterval(() => {
      const due = ((performance.now() - startedAtMs) / 1_000) * this.#o.profile.paymentsPerSecond;
      while (this.#begun < due) this.#begin();
    }, tickMs);
  }

  /** No new payments; those that have begun go on. */
  stopArrivals(): void {
    clearInterval(this.#clock);
  }

  /** True when all payments have ended by themselves; those that have not are ended after `timeoutMs`. */
  async end(timeoutMs: number): Promise<boolean> {
    this.stopArrivals();
    const all = Promise.all(this.#journeys).then(() => true);
    const isSettled = await Promise.race([all, sleep(timeoutMs, false, { signal: this.#abort.signal }).catch(() => false)]);
    this.#abort.abort();
    await all;
    this.client.close();
    return isSettled;
  }

  /** How long after `sinceMs` (of `performance.now()`) the first yes came to a request that was sent after it; undefined when none in time. */
  firstSuccessAfter(sinceMs: number, timeoutMs: number): Promise<number | undefined> {
    return new Promise((resolve) => {
      const settle = (afterMs: number | undefined) => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        resolve(afterMs);
      };
      const look = (answer: Answer) => {
        if (answer.startedAtMs >= sinceMs && meaningOf(answer) === "yes") settle(answer.endedAtMs - sinceMs);
      };
      const timer = setTimeout(() => settle(undefined), timeoutMs);
      this.#listeners.add(look);
      for (const call of this.calls) for (const answer of call.answers) look(answer);
    });
  }

  #begin(): void {
    this.#begun += 1;
    const { name, random, tokens, profile } = this.#o;
    const journey = travel({
      name: `${name}-${this.#begun}`,
      client: this.client,
      random,
      token: oneOf(random, tokens),
      doubles: profile.doubles,
      signal: this.#abort.signal,
      onCall: (call) => this.calls.push(call),
      onAnswer: (_call, answer) => {
        for (const listener of [...this.#listeners]) listener(answer);
      },
      onBadRead: (read) => this.badReads.push(read),
    }).finally(() => this.#journeys.delete(journey));
    this.#journeys.add(journey);
  }
}
