/** One (merchant, key): at most one effect, one answer. */
import type { Mutant } from "../mutant.ts";

const runOperation = "switch/src/app/run-operation.ts";

export const idempotencyMutants: readonly Mutant[] = [
  {
    name: "redis-grants",
    about: "Redis' word is enough: with a claim in hand no key row is written beside the intent",
    file: runOperation,
    find: "await parts.log.append(intent, { key, requestHash, budget: operation.caller.budget }).catch(",
    replace: "await parts.log.append(intent, claim === undefined ? { key, requestHash } : undefined).catch(",
  },
  {
    name: "remember-before-commit",
    about: "the answer is remembered in Redis before its outcome is committed",
    file: runOperation,
    find: "  let { intent, decidedAtMs } = begun;\n",
    replace: `  let { intent, decidedAtMs } = begun;
  parts.claims.remember(operation.use, { paymentId: intent.payment.id, sequence: intent.event.sequence + 1 });\n`,
  },
  {
    name: "send-before-intent",
    about: "the command leaves before its intent is committed",
    file: runOperation,
    find: "    const appended = await append(intent);",
    replace: "    void operation.send?.(intent);\n    const appended = await append(intent);",
  },
  {
    name: "key-taken-is-appended",
    about: "a key that another call holds is treated as ours, and the command is sent",
    file: runOperation,
    find: `return { kind: "not_begun", unlessInLog: { kind: "in_flight", payment: undefined } };`,
    replace: `return { kind: "begun", intent, decidedAtMs };`,
  },
  {
    name: "conflict-is-appended",
    about: "an intent that lost its place in the log to another writer is sent all the same",
    file: runOperation,
    find: `        parts.metrics.count("switch_append_conflicts_total", { kind: "sequence" });
    }`,
    replace: `        return { kind: "begun", intent, decidedAtMs };
    }`,
  },
  {
    name: "reference-taken-is-appended",
    about: "a second payment with a unique merchant reference is let through to the processor",
    file: runOperation,
    find: `        return refuse({ code: "reference_not_unique",`,
    replace: `        return { kind: "begun", intent, decidedAtMs };
        return refuse({ code: "reference_not_unique",`,
  },
  {
    name: "stale-claim-waits-for-ever",
    about: "a claim whose process has died is waited for until Redis forgets it",
    file: runOperation,
    find: "  if (isStale(running.startedAtMs, parts.now())) return decideByLog(parts, operation);\n",
    replace: "",
  },
  {
    name: "clock-ahead-locks-a-key",
    about: "a claim written by a clock that was an hour ahead is young for an hour",
    file: "switch/src/app/answer-from-log.ts",
    find: "return Math.abs(nowMs - startedAtMs) > staleAfterMs;",
    replace: "return nowMs - startedAtMs > staleAfterMs;",
  },
  {
    name: "request-hash-ignored-by-log",
    about: "the log's answer is given to another request that reuses its key",
    file: "switch/src/app/answer-from-log.ts",
    find: "  if (!stored.requestHash.equals(use.requestHash)) return reusedKey();\n",
    replace: "",
  },
  {
    name: "request-hash-ignored-by-cache",
    about: "the cache's answer is given to another request that reuses its key",
    file: "switch/src/store/claims.ts",
    find: "const isSame = answer.startsWith(hash, 1);",
    replace: "const isSame = hash !== undefined;",
  },
  {
    name: "cache-key-without-merchant",
    about: "two merchants that use the same key meet in the cache",
    file: "switch/src/store/claims.ts",
    find: `\${mode === "live" ? "L" : "T"}\${bodyOf(merchantId)}\${short}`,
    replace: `\${mode === "live" ? "L" : "T"}\${merchantId.slice(0, 3)}\${short}`,
  },
  {
    name: "refusal-before-the-log-is-asked",
    about: "a repeated request is refused for what its own first run did, because Redis had forgotten the key",
    file: runOperation,
    find: "const answer = (await answerFromLog(parts, operation.use)) ?? begun.unlessInLog;",
    replace: "const answer = begun.unlessInLog;",
  },
  {
    name: "degraded-not-marked",
    about: "a payment made while Redis was away does not say so",
    file: runOperation,
    find: "const intent = context.isDegraded ? markDegraded(decision.transition) : decision.transition;",
    replace: "const intent = decision.transition;",
  },
];
