/**
 * The first layer of idempotency: Redis answers replays and running duplicates cheaply, and counts attempts in the same round trip.
 *
 * Redis only remembers; the unique index of the log grants. Losing Redis, or its forgetting everything, costs speed and marks payments
 * `idempotency_degraded`; it never allows a second charge. A claim is released only when nothing was sent (P3).
 */
import { randomBytes } from "node:crypto";
import { AppError } from "@florin/kernel";
import { createBatcher, type Settled } from "@florin/runtime/batch";
import type { Redis } from "@florin/runtime/redis";
import type { Metrics } from "@florin/runtime/telemetry";
import type { Mode } from "../domain/payment/index.ts";
import { claimScript, releaseScript, rememberScript } from "./claim-scripts.ts";

export type Counter = { readonly name: string; readonly windowMs: number };

export type ClaimRequest = {
  readonly merchantId: string;
  /** Test and live keys of a merchant are apart. */
  readonly mode: Mode;
  readonly key: string;
  readonly requestHash: string;
  readonly counters: readonly Counter[];
};

/** A claim that is ours until it is remembered or released. */
export type Claim = { readonly redisKey: string; readonly value: string; readonly requestHash: string };

export type ClaimAnswer =
  | { readonly kind: "new"; readonly claim: Claim; readonly counts: readonly number[] }
  | { readonly kind: "running"; readonly startedAtMs: number }
  | { readonly kind: "decided"; readonly paymentId: string; readonly sequence: number }
  | { readonly kind: "reused" }
  /** Redis is away: the database decides alone, and nothing was counted. */
  | { readonly kind: "degraded" };

export interface Claims {
  claim(request: ClaimRequest): Promise<ClaimAnswer>;
  /** Remembers where the answer is. Best effort: a loss only costs a look into the log. */
  remember(claim: Claim, answer: { readonly paymentId: string; readonly sequence: number }): void;
  /** Gives a claim back. Only where surely nothing was sent. Best effort: a claim that stays is looked up in the log. */
  release(claim: Claim): void;
  readonly isAvailable: boolean;
}

/** R40: two days in the cache; the database keeps the proof for longer. */
const rememberedMs = 48 * 60 * 60 * 1000;
const batchMax = 256;
const queueDepthMax = 20_000;
const batchesInFlightMax = 2;

const resultLabels = { new: "new", running: "in_flight", decided: "done", reused: "reuse", degraded: "degraded" } as const satisfies Record<
  ClaimAnswer["kind"],
  string
>;

type Member = { readonly request: ClaimRequest; readonly claim: Claim };
type ScriptAnswer = string | readonly number[];

export function createClaims(o: { readonly redis: Redis | undefined; readonly metrics: Metrics; readonly now: () => number }): Claims {
  const { redis, metrics } = o;
  if (redis === undefined) return withoutRedis(metrics);
  const claims = createBatcher<Member, ClaimAnswer>({
    name: "claim",
    batchMax,
    queueDepthMax,
    concurrencyMax: batchesInFlightMax,
    run: async (members) => {
      const words = members.flatMap(({ request, claim }) => [
        claim.redisKey,
        claim.value,
        String(rememberedMs),
        countersText(request.counters),
      ]);
      const answers = await runScript<ScriptAnswer[]>(redis, claimScript, words);
      return answers.map((answer, index) => settled(answer, members[index] as Member));
    },
  });
  const remembered = createBatcher<readonly [string, string], void>({
    name: "remember",
    batchMax,
    queueDepthMax,
    concurrencyMax: 1,
    run: async (members) => {
      await runScript(
        redis,
        rememberScript,
        members.flatMap(([key, value]) => [key, value, String(rememberedMs)]),
      );
      return members.map(() => ({ ok: true, value: undefined }));
    },
  });
  const degraded = (): ClaimAnswer => {
    metrics.count("switch_redis_unavailable_total");
    return { kind: "degraded" };
  };
  return {
    get isAvailable() {
      return redis.status === "ready";
    },
    async claim(request) {
      if (redis.status !== "ready") return degraded();
      const claim = claimOf(request, o.now());
      const answer = await claims.submit({ request, claim }).catch((): ClaimAnswer => degraded());
      metrics.count("switch_claims_total", { result: resultLabels[answer.kind] });
      return answer;
    },
    remember(claim, answer) {
      if (redis.status !== "ready") return;
      remembered
        .submit([claim.redisKey, `d|${claim.requestHash}|${answer.paymentId}|${answer.sequence}`])
        .catch(() => metrics.count("switch_redis_unavailable_total"));
    },
    release(claim) {
      if (redis.status !== "ready") return;
      runScript(redis, releaseScript, [claim.redisKey, claim.value]).catch(() => metrics.count("switch_redis_unavailable_total"));
    },
  };
}

function withoutRedis(metrics: Metrics): Claims {
  return {
    isAvailable: false,
    claim: async () => {
      metrics.count("switch_claims_total", { result: "degraded" });
      return { kind: "degraded" };
    },
    remember: () => {},
    release: () => {},
  };
}

/** ioredis sends the script's hash and falls back to its text when the server has forgotten it. */
async function runScript<T>(redis: Redis, script: string, words: readonly string[]): Promise<T> {
  const command = commandNames.get(script) as string;
  const known = redis as unknown as Record<string, ((...words: string[]) => Promise<T>) | undefined>;
  if (known[command] === undefined) redis.defineCommand(command, { numberOfKeys: 0, lua: script });
  const run = known[command];
  if (run === undefined) throw new AppError("unavailable", "the cache takes no scripts", { work: "not_done" });
  return run.call(redis, ...words);
}

const commandNames = new Map([
  [claimScript, "florinClaim"],
  [rememberScript, "florinRemember"],
  [releaseScript, "florinRelease"],
]);

function claimOf(request: ClaimRequest, nowMs: number): Claim {
  const owner = randomBytes(6).toString("base64url");
  return {
    redisKey: `k:${request.mode}:${request.merchantId}:${request.key}`,
    value: `p|${request.requestHash}|${nowMs}|${owner}`,
    requestHash: request.requestHash,
  };
}

function countersText(counters: readonly Counter[]): string {
  return counters.map(({ name, windowMs }) => `${name}=${windowMs}`).join(" ");
}

function settled(answer: ScriptAnswer, { request, claim }: Member): Settled<ClaimAnswer> {
  if (typeof answer !== "string") return { ok: true, value: { kind: "new", claim, counts: answer } };
  const [state, hash, third = "", fourth = ""] = answer.split("|");
  if (hash !== request.requestHash) return { ok: true, value: { kind: "reused" } };
  if (state === "d") return { ok: true, value: { kind: "decided", paymentId: third, sequence: Number(fourth) } };
  return { ok: true, value: { kind: "running", startedAtMs: Number(third) } };
}
