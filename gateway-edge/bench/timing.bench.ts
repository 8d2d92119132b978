/**
 * Question: does the time in which an API key is refused tell why, or how much of it was right?
 *
 *   node gateway-edge/bench/timing.bench.ts [milliseconds per pair=9000]
 *
 * Welch's t over the edge's own decision, without network and database, whose noise (about 100 µs) would hide differences of nanoseconds from an
 * attacker too. |t| below 4.5 means: so many samples show no difference. It can see branches and comparisons that end early; it cannot see caches of
 * the processor that another tenant of the machine could look at, and it proves nothing about more samples than it took.
 */
import { createHmac, randomBytes, randomInt } from "node:crypto";
import { required } from "@florin/kernel";
import { startTelemetry } from "@florin/runtime/telemetry";
import { compareTimes, type Timed } from "@florin/runtime/testing";
import { createAuthenticator } from "../src/app/authenticate.ts";
import { createFailureLimit } from "../src/app/failure-limit.ts";
import { keyRandomBytes, makeSecretKey } from "../src/domain/api-key.ts";

const timeMsMax = Number(process.argv[2] ?? 9_000);
const samplesMax = 1_000_000;
const pepper = randomBytes(32);
const { metrics } = startTelemetry({ service: "edge", otlpUrl: "", traceRatio: 0 });
const now = () => performance.now();
const own = makeSecretKey("test", randomBytes(keyRandomBytes));
const other = makeSecretKey("test", randomBytes(keyRandomBytes));
const keyHash = createHmac("sha256", pepper).update(own.secretKey).digest();
const authenticator = createAuthenticator({
  store: { find: async (keyId) => (keyId === own.keyId ? { merchantId: "mer_0", mode: "test", keyHash } : undefined) },
  pepper,
  failures: createFailureLimit({ rate: { burst: 1e9, perSecond: 1e9 }, now, metrics }),
  metrics,
  now,
  foundTtlMs: 1e9,
  unknownTtlMs: 1e9,
});
const peer = { ip: "192.0.2.1" };

const letters = "0123456789abcdefghjkmnpqrstvwxyz";
/** As a socket brings it: one flat string. */
const headerOf = (key: string): string => Buffer.from(`Bearer ${key}`, "latin1").toString("latin1");
const randomLetters = (count: number, not = ""): string => {
  const text = Array.from({ length: count }, () => letters[randomInt(letters.length)]).join("");
  return text === not ? randomLetters(count, not) : text;
};
const [head, secret] = [own.secretKey.slice(0, 25), own.secretKey.slice(25)];
const keys = {
  "a wrong secret": () => head + randomLetters(32),
  "31 characters that are right": () => head + secret.slice(0, 31) + randomLetters(1, secret.slice(31)),
  // Always the same ones too: what comes again and again is read faster, right or wrong.
  "31 characters that are wrong": () => head + decoy + randomLetters(1),
  "a key that is not there": () => other.secretKey.slice(0, 25) + randomLetters(32),
  "the other mode": () => otherMode + randomLetters(32),
} as const;
/** Every character another one of its kind: reading takes digits and letters in different time, whatever they are. */
const decoy = secret.slice(0, 31).replace(/[0-8a-y]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 1));
const otherMode = head.replace("sk_test_", "sk_live_");

/** One function for all, so that the engine has one shape of it. */
function refuse(header: string): void {
  try {
    // As a request is judged: on its head first (rest/doorman.ts).
    if (authenticator.provenKey(header) === undefined) void authenticator.authenticate(header, peer);
  } catch {
    return;
  }
}

const refusal = (name: keyof typeof keys): Timed => ({ name, prepare: () => headerOf(keys[name]()), run: refuse });

await authenticator.authenticate(`Bearer ${own.secretKey}`, peer);
await Promise.resolve(authenticator.authenticate(headerOf(other.secretKey), peer)).catch(() => undefined);
const pairs: readonly (readonly [keyof typeof keys, keyof typeof keys])[] = [
  ["a wrong secret", "a wrong secret"],
  ["31 characters that are wrong", "31 characters that are right"],
  ["a wrong secret", "the other mode"],
  ["a wrong secret", "a key that is not there"],
];
const rows = [];
for (const [left, right] of pairs) {
  const found = await compareTimes({ left: refusal(left), right: refusal(right), samplesMax, timeMsMax });
  rows.push({
    left,
    right,
    samples: found.samples,
    "left ns": Math.round(found.leftNs),
    "right ns": Math.round(found.rightNs),
    "|t|": Math.abs(found.t).toFixed(1),
  });
}
console.table(rows);
const worst = required(rows.toSorted((a, b) => Number(b["|t|"]) - Number(a["|t|"]))[0], "a pair");
console.log(
  `worst: |t| = ${worst["|t|"]} (${worst.left} / ${worst.right}); 4.5 and more is a difference. The first pair is the same thing twice: the noise.`,
);
