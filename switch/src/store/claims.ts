/**
 * The first layer of idempotency: Redis answers replays and running duplicates cheaply, and counts attempts in the same round trip.
 *
 * Redis only remembers; the unique index of the log grants. Losing Redis, or its forgetting everything, costs speed and marks payments
 * `idempotency_degraded`; it never allows a second charge. A claim is released only when nothing was sent (P3).
 *
 * That Redis has forgotten is known by the name that its memory was given when it was empty: another name, and everything before is gone.
 * What a fail-over forgets cannot be seen so, but a fail-over cuts the connection. After either, for a lease, new claims are marked too: a
 * call that Redis forgot may still be under way. A process that starts takes the memory it finds for whole.
 */
import { hash } from "node:crypto";
import { AppError } from "@florin/kernel";
import { createBatcher } from "@florin/runtime/batch";
import type { Redis } from "@florin/runtime/redis";
import type { Metrics } from "@florin/runtime/telemetry";
import { systemTiming, type Timing } from "@florin/runtime/timing";
import type { Mode } from "../domain/payment/index.ts";
import { claimScript, releaseScript, rememberScript } from "./claim-scripts.ts";

export type Counter = {
  readonly name: string;
  /** It is forgotten so long after the first count, ms; with `counted` each is, so long after it was counted. */
  readonly windowMs: number;
  /** The id of what is counted, for what can be uncounted again: what is under way. */
  readonly counted?: string;
};

/** One use of an idempotency key. */
export type KeyUse = {
  readonly merchantId: string;
  readonly mode: Mode;
  readonly key: string;
  /** SHA-256 over the parameters. */
  readonly requestHash: Buffer;
};

/** What Redis holds while an operation is under way; ours until the answer is remembered or the claim released. */
export type Claim = { readonly redisKey: string; readonly value: string };

export type ClaimAnswer =
  /** `isDegraded`: Redis may have forgotten an earlier call with this key. */
  | { readonly kind: "new"; readonly claim: Claim; readonly counts: readonly number[]; readonly isDegraded: boolean }
  /** `isSame`: the same parameters. `paymentId` as the earlier call knew it; its intent need not be in the log. */
  | { readonly kind: "running"; readonly isSame: boolean; readonly startedAtMs: number; readonly paymentId: string }
  | { readonly kind: "decided"; readonly paymentId: string; readonly sequence: number }
  /** Decided, and with other parameters. */
  | { readonly kind: "reused" }
  /** Redis is away: the database decides alone, and nothing was counted. */
  | { readonly kind: "degraded" };

export interface Claims {
  /** `paymentId`: the payment that the operation is about or will make. Never rejects. */
  claim(use: KeyUse, o: { readonly paymentId: string; readonly counters: readonly Counter[] }): Promise<ClaimAnswer>;
  /** Remembers which row of the log is the answer. Best effort: a loss only costs a look into the log. */
  remember(use: KeyUse, answer: { readonly paymentId: string; readonly sequence: number }): void;
  /** Gives a claim back. Only where surely nothing was sent. Best effort: a claim that stays is looked up in the log once it is stale. */
  release(claim: Claim): void;
  /** What a counter of ids stands at; undefined while Redis does not say. Never rejects. */
  countOf(counterName: string): Promise<number | undefined>;
  /** Takes away what a claim has counted by its id. Best effort: one that stays counted is forgotten with its window. Safe to repeat. */
  uncount(counter: Counter): void;
  readonly isAvailable: boolean;
}

/** R40: two days in the cache; the database keeps the proof for longer. */
const rememberedMs = String(48 * 60 * 60 * 1000);
/** Longer than a call may be under way. */
const leaseMs = 30_000;
const batchMax = 256;
const queueDepthMax = 20_000;
const batchesInFlightMax = 2;
const besideMin = 64;
/** Longer keys are hashed: what is remembered stays small. */
const plainKeyLengthMax = 64;
/** Characters of the request's hash that are remembered, 72 bits: enough to tell a slip from a replay. */
const hashLength = 12;
const idBodyLength = 26;
const idAt = 1 + hashLength;
const restAt = idAt + idBodyLength;

const resultLabels = { new: "new", running: "in_flight", decided: "done", reused: "reuse", degraded: "degraded" } as const satisfies Record<
  ClaimAnswer["kind"],
  string
>;

type Member = { readonly claim: Claim; readonly hash: string; readonly counters: readonly Counter[] };
type ScriptAnswer = string | readonly number[] | 0;
/** An answer for each member, and the name of the memory. */
type ScriptAnswers = readonly (ScriptAnswer | undefined)[];

/** The scripts of claim-scripts.ts, wherever they run; each rejects when the cache is away or silent. */
export type ClaimCache = {
  isUp(): boolean;
  /** Calls back whenever the cache is there (again). */
  onReady(run: () => void): void;
  readonly claim: Script;
  readonly remember: Script;
  readonly release: Script;
  /** How many ids a counter holds; those that are to be forgotten stay until the next is counted. */
  readonly read: Script;
};

type ClaimsOptions = {
  readonly metrics: Metrics;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Default: the system's. */
  readonly timing?: Pick<Timing, "atTurnEnd" | "monotonicMs">;
};

export function createClaims({ redis, ...o }: ClaimsOptions & { readonly redis: Redis | undefined }): Claims {
  return createClaimsOver({ ...o, cache: redis && cacheIn(redis) });
}

/** The claims over any form of the scripts. */
export function createClaimsOver(o: ClaimsOptions & { readonly cache: ClaimCache | undefined }): Claims {
  const { cache, metrics, timing = systemTiming } = o;
  if (cache === undefined) return withoutRedis(metrics);
  const memory = watchMemory(cache, timing.monotonicMs);
  const claims = createBatcher<Member, ClaimAnswer>({
    name: "claim",
    batchMax,
    queueDepthMax,
    concurrencyMax: batchesInFlightMax,
    besideMin,
    timing,
    run: async (members) => {
      const answers = JSON.parse(
        (await cache.claim(rememberedMs, JSON.stringify(wordsOf(members)), String(o.now()))) as string,
      ) as ScriptAnswers;
      const isDegraded = memory.hasForgotten(answers[members.length]);
      return members.map((member, index) => ({ ok: true, value: readAnswer(answers[index] as ScriptAnswer, member, isDegraded) }));
    },
  });
  const remembered = createBatcher<Claim, void>({
    name: "remember",
    batchMax,
    queueDepthMax,
    timing,
    run: async (members) => {
      await cache.remember(rememberedMs, JSON.stringify(members.flatMap(({ redisKey, value }) => [redisKey, value])));
      return members.map(() => ({ ok: true, value: undefined }));
    },
  });
  metrics.gauge("batch_queue_depth", () => claims.takeDepthPeak(), { batch: "claim" });
  const { isUp } = cache;
  const onLoss = () => metrics.count("switch_redis_unavailable_total");
  return {
    get isAvailable() {
      return isUp();
    },
    async claim(use, { paymentId, counters }) {
      const answer = isUp() ? await claims.submit(memberOf(use, paymentId, counters, o.now())).catch(degraded) : degraded();
      metrics.count("switch_claims_total", { result: resultLabels[answer.kind] });
      if (answer.kind === "degraded") onLoss();
      return answer;
    },
    remember(use, { paymentId, sequence }) {
      if (!isUp()) return;
      const value = `d${shortHash(use)}${bodyOf(paymentId)}${sequence}`;
      remembered.submit({ redisKey: redisKeyOf(use), value }).catch(onLoss);
    },
    async countOf(counterName) {
      if (!isUp()) return undefined;
      const count = await cache.read(counterName).catch(onLoss);
      return count === undefined ? undefined : Number(count);
    },
    uncount({ name, counted = "" }) {
      if (isUp()) remembered.submit({ redisKey: `-${name}`, value: counted }).catch(onLoss);
    },
    release({ redisKey, value }) {
      if (isUp()) cache.release(redisKey, value).catch(onLoss);
    },
  };
}

/** True from a loss that this process noticed until nothing that was under way by then can still be. */
function watchMemory(cache: ClaimCache, monotonicMs: () => number): { hasForgotten(name: ScriptAnswer | undefined): boolean } {
  let known: ScriptAnswer | undefined;
  let forgottenUntilMs = Number.NEGATIVE_INFINITY;
  let wasConnected = cache.isUp();
  const forgotten = (): void => {
    forgottenUntilMs = monotonicMs() + leaseMs;
  };
  cache.onReady(() => {
    if (wasConnected) forgotten();
    wasConnected = true;
  });
  return {
    hasForgotten(name) {
      if (known !== undefined && name !== known) forgotten();
      known = name ?? known;
      return monotonicMs() < forgottenUntilMs;
    },
  };
}

const degraded = (): ClaimAnswer => ({ kind: "degraded" });

function withoutRedis(metrics: Metrics): Claims {
  return {
    isAvailable: false,
    claim: async () => {
      metrics.count("switch_claims_total", { result: "degraded" });
      return degraded();
    },
    remember: () => {},
    release: () => {},
    countOf: async () => undefined,
    uncount: () => {},
  };
}

type Script = (...words: string[]) => Promise<unknown>;

/** ioredis sends a script's hash, and its text once more when the server has forgotten it. */
function cacheIn(redis: Redis): ClaimCache {
  const names = { claim: "florinClaim", remember: "florinRemember", release: "florinRelease" } as const;
  const texts = { claim: claimScript, remember: rememberScript, release: releaseScript };
  const scriptOf = (name: keyof typeof names): Script => {
    redis.defineCommand(names[name], { numberOfKeys: 0, lua: texts[name] });
    const run = (redis as unknown as Readonly<Record<string, Script | undefined>>)[names[name]];
    if (run === undefined) throw new AppError("internal", "the client of the cache takes no scripts", { work: "not_done" });
    return run.bind(redis);
  };
  return {
    isUp: () => redis.status === "ready",
    onReady: (run) => {
      redis.on("ready", run);
    },
    claim: scriptOf("claim"),
    remember: scriptOf("remember"),
    release: scriptOf("release"),
    read: (key = "") => redis.zcard(key),
  };
}

function wordsOf(members: readonly Member[]): (string | number)[] {
  const words: (string | number)[] = [];
  for (const { claim, counters } of members) {
    words.push(claim.redisKey, claim.value, counters.length);
    for (const { name, windowMs, counted = "" } of counters) words.push(name, windowMs, counted);
  }
  return words;
}

function memberOf(use: KeyUse, paymentId: string, counters: readonly Counter[], nowMs: number): Member {
  const hash = shortHash(use);
  return { claim: { redisKey: redisKeyOf(use), value: `p${hash}${bodyOf(paymentId)}${nowMs.toString(36)}` }, hash, counters };
}

function redisKeyOf({ merchantId, mode, key }: KeyUse): string {
  const short = key.length <= plainKeyLengthMax ? `:${key}` : `#${hash("sha256", key, "base64url")}`;
  return `${mode === "live" ? "L" : "T"}${bodyOf(merchantId)}${short}`;
}

/** The 26 characters of an id after its prefix. */
function bodyOf(id: string): string {
  return id.slice(id.length - idBodyLength);
}

function shortHash({ requestHash }: KeyUse): string {
  return requestHash.toString("base64url", 0, (hashLength * 3) / 4);
}

function readAnswer(answer: ScriptAnswer, { claim, hash }: Member, isDegraded: boolean): ClaimAnswer {
  if (typeof answer !== "string") return { kind: "new", claim, counts: answer === 0 ? [] : answer, isDegraded };
  const isSame = answer.startsWith(hash, 1);
  const paymentId = `pay_${answer.slice(idAt, restAt)}`;
  const rest = answer.slice(restAt);
  if (answer.startsWith("d")) return isSame ? { kind: "decided", paymentId, sequence: Number(rest) } : { kind: "reused" };
  return { kind: "running", isSame, startedAtMs: Number.parseInt(rest, 36), paymentId };
}
