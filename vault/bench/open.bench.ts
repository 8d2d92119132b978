/**
 * Question: what does opening a card cost beside the bare cipher, and what does its access record cost?
 * Goals: at most 2.5 × a bare AES-GCM open for what the vault adds in this process; at most 20 CPU-µs with the record, PostgreSQL included.
 *
 *   node vault/bench/open.bench.ts [cards=40000]
 *
 * 1. in this process: AES-256-GCM alone, then a whole opening (directory, key, seal, decoding, record queued), 256 at a time;
 * 2. records into a real PostgreSQL (fsync and synchronous_commit on): CPU of this process and of PostgreSQL per opening, at a steady rate, a few
 *    openings every 2 ms; at most 256 without an answer;
 * 3. the process `main.ts` behind a frame link with mTLS, 256 in flight: its own CPU and PostgreSQL's per opening and per description.
 */
import { createDecipheriv, createSecretKey, randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { makeId, required, Secret } from "@florin/kernel";
import { connectPostgres } from "@florin/runtime/postgres";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { type AccessLog, createAccessLog } from "../src/app/access-log.ts";
import { seal } from "../src/app/card-cipher.ts";
import { createCardDesk } from "../src/app/card-desk.ts";
import { createCardDirectory } from "../src/app/card-directory.ts";
import { createTokenMaker } from "../src/app/create-token.ts";
import { type DataKeys, loadDataKeys } from "../src/app/data-keys.ts";
import { createSecurityCodes } from "../src/app/security-codes.ts";
import { encodeCard } from "../src/domain/sealed-card.ts";
import { createSoftwareHsm } from "../src/hsm/software.ts";
import { createAccessStore } from "../src/store/access-log.ts";
import { createCardStore } from "../src/store/cards.ts";
import { createDataKeyStore } from "../src/store/data-keys.ts";
import { clientOf, openStage, type Stage, startVault } from "../test/stage.ts";
import { cpuMicrosOf, findPostgres, postgresMicros } from "./cpu.ts";

const total = Number(process.argv[2] ?? 40_000);
const atOnce = 256;
/** The vault's process per opening, against the cipher alone and what any call costs in a frame. */
const rulerRatioMax = 2.5;
const tokenCount = 2_000;
/** Before it measures, or the compiler's work is measured with it. */
const warmUp = 30_000;
const rules = { singleUseLifeMs: 3_600_000, graceDays: 180 };
const logger = createLogger({ service: "bench", level: "error" });
const merchantId = makeId("merchant", Date.now(), randomBytes(10));
const paymentIds = Array.from({ length: 4_096 }, () => makeId("payment", Date.now(), randomBytes(10)));
const paymentAt = (index: number): string => required(paymentIds[index % paymentIds.length], "a payment");

const stage = await openStage();
await findPostgres(stage);
try {
  const sql = connectPostgres({ url: stage.appUrl, name: "bench", connectionsMax: 4 });
  const { metrics } = startTelemetry({ service: "bench", otlpUrl: "", traceRatio: 0 });
  const hsm = createSoftwareHsm({ kek: new Secret(Buffer.from("c3".repeat(32), "hex")), environment: "sandbox" });
  const dataKeys = await loadDataKeys({ hsm, store: createDataKeyStore(sql), epochLifeMs: 3_600_000, now: () => performance.now() });
  const tokens = await makeTokens(dataKeys);
  const bare = benchBareOpen(1);
  const bareManyKeys = benchBareOpen(tokenCount);
  const noLog: AccessLog = { take: () => {}, settled: async () => {}, isHealthy: () => true, depth: 0, close: async () => {} };
  const alone = await benchDesk(noLog, tokens, false);
  console.log(`opening ${total} cards, ${atOnce} at a time, ${tokenCount} different ones, all in the cache\n`);
  console.table([
    row("1. AES-256-GCM alone, one key", bare, 0, bare),
    row("1. AES-256-GCM alone, a key per card", bareManyKeys, 0, bare),
    row("1. whole opening, record left out", alone.own, 0, bare),
    ...(await benchRecords(tokens, bare)),
  ]);
  console.log("3. the process: frame in, card out, mTLS\n");
  const served = await benchProcess(stage, tokens);
  console.table(served);
  const [described, opened] = served.map((one) => Number(one["vault CPU-µs"]));
  const ratio = required(opened, "an opening") / (bare + required(described, "a description"));
  const verdict = ratio <= rulerRatioMax ? "met" : "MISSED";
  console.log(
    `an opening ÷ (the bare open and its share of the frame, which is a description): ${ratio.toFixed(2)}, gate ${rulerRatioMax}: ${verdict}`,
  );
  await sql.end({ timeout: 5 });

  async function makeTokens(keys: DataKeys): Promise<readonly string[]> {
    const maker = createTokenMaker({
      dataKeys: keys,
      codes: createSecurityCodes({ now: () => performance.now() }),
      store: createCardStore(sql),
      rules,
      metrics,
      now: Date.now,
    });
    const made = await Promise.all(
      Array.from({ length: tokenCount }, () =>
        maker.create(
          { merchantId, mode: "test" },
          {
            number: new Secret(Buffer.from("4242424242424242")),
            expMonth: 12,
            expYear: 2035,
            securityCode: undefined,
            name: "Ada Lovelace",
            postalCode: "1010",
            addressLine1: "Main Street 1",
          },
          { usage: "reusable", expiresInS: undefined },
        ),
      ),
    );
    return made.map((answer) => (answer.kind === "created" ? answer.created.token : ""));
  }

  async function benchDesk(
    accessLog: AccessLog,
    known: readonly string[],
    isRecordAwaited: boolean,
    perSecondMax = Number.POSITIVE_INFINITY,
    together = atOnce,
  ) {
    const store = createCardStore(sql);
    const desk = createCardDesk({
      directory: createCardDirectory({ store, cardsMax: 10_000, rules }),
      store,
      rules,
      dataKeys,
      codes: createSecurityCodes({ now: () => performance.now() }),
      accessLog,
      isRecordAwaited,
      metrics,
      now: Date.now,
    });
    const openOne = (index: number) =>
      desk.open({
        merchantId,
        token: required(known[index % known.length], "a token"),
        purpose: "authorize",
        paymentId: paymentAt(index),
        caller: "connectors",
      });
    const round = async (count: number): Promise<void> => {
      const startedAtMs = performance.now();
      const waiting = new Set<Promise<unknown>>();
      for (let done = 0; done < count; done += together) {
        for (let index = 0; index < together; index++) {
          const answer = openOne(done + index);
          waiting.add(answer);
          void answer.finally(() => waiting.delete(answer));
        }
        if (waiting.size >= atOnce || perSecondMax === Number.POSITIVE_INFINITY) await Promise.all(waiting);
        const aheadMs = (done / perSecondMax) * 1_000 - (performance.now() - startedAtMs);
        if (aheadMs > 1) await sleep(aheadMs);
      }
      await Promise.all(waiting);
      await accessLog.settled();
    };
    await round(warmUp);
    const before = { own: process.cpuUsage(), postgres: postgresMicros(stage), atMs: performance.now() };
    await round(total);
    const own = process.cpuUsage(before.own);
    const seconds = (performance.now() - before.atMs) / 1_000;
    return {
      own: (own.user + own.system) / total,
      postgres: (postgresMicros(stage) - before.postgres) / total,
      perSecond: total / seconds,
    };
  }

  async function benchRecords(known: readonly string[], bareMicros: number) {
    const rows = [];
    for (const [paceMs, isAwaited, rate] of [
      [50, false, 4_000],
      [50, false, 16_000],
      [0, false, 4_000],
      [0, true, 4_000],
    ] as const) {
      const accessLog = createAccessLog({ store: createAccessStore(sql), writerId: randomUUID(), logger, paceMs });
      const { own, postgres, perSecond } = await benchDesk(accessLog, known, isAwaited, rate, rate / 500);
      await accessLog.close(10_000);
      const how = isAwaited ? "committed before the answer" : `queued, ${paceMs} ms apart`;
      rows.push(row(`2. with records, ${how}, ${Math.round(perSecond)}/s`, own, postgres, bareMicros));
    }
    return rows;
  }
} finally {
  await stage.close();
}

function row(what: string, own: number, postgres: number, bare: number) {
  return {
    what,
    "own CPU-µs": own.toFixed(1),
    "PostgreSQL CPU-µs": postgres.toFixed(1),
    "sum CPU-µs": (own + postgres).toFixed(1),
    "own ÷ bare": (own / bare).toFixed(2),
  };
}

/** What the cipher alone costs on this machine, with everything prepared. Each card has a key of its own, and many keys do not fit where one does. */
function benchBareOpen(keyCount: number): number {
  const binding = randomBytes(53);
  const card = {
    number: new Secret(Buffer.from("4242424242424242")),
    name: "Ada Lovelace",
    postalCode: "1010",
    addressLine1: "Main Street 1",
  };
  const plain = encodeCard(card);
  const cards = Array.from({ length: keyCount }, () => {
    const key = createSecretKey(randomBytes(32));
    const sealed = seal(key, binding, plain);
    return { key, nonce: sealed.subarray(0, 12), text: sealed.subarray(12, -16), tag: sealed.subarray(-16) };
  });
  const openOne = (index: number) => {
    const { key, nonce, text, tag } = required(cards[index % keyCount], "a card");
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
    decipher.setAAD(binding);
    decipher.setAuthTag(tag);
    const opened = decipher.update(text);
    decipher.final();
    return opened;
  };
  for (let index = 0; index < warmUp; index++) openOne(index);
  const before = process.cpuUsage();
  for (let index = 0; index < total; index++) openOne(index);
  const used = process.cpuUsage(before);
  return (used.user + used.system) / total;
}

async function benchProcess(on: Stage, tokens: readonly string[]) {
  const vault = await startVault(on, { FLORIN_LOG_LEVEL: "error" });
  const connectors = await clientOf(on, vault, "connectors");
  const options = { timeoutMs: 30_000 };
  const token = (index: number) => required(tokens[index % tokens.length], "a token");
  const rows = [];
  for (const [what, call] of [
    ["DescribeToken", (index: number) => connectors.describeToken({ merchantId, token: token(index), live: false }, options)],
    [
      "Detokenize",
      (index: number) =>
        connectors.detokenize({ merchantId, token: token(index), purpose: "authorize", paymentId: paymentAt(index) }, options),
    ],
  ] as const) {
    await drive(total / 4, call);
    await sleep(200);
    const before = { own: cpuMicrosOf(vault.child.pid), postgres: postgresMicros(on), atMs: performance.now() };
    await drive(total, call);
    const seconds = (performance.now() - before.atMs) / 1_000;
    await sleep(200);
    rows.push({
      what,
      "vault CPU-µs": ((cpuMicrosOf(vault.child.pid) - before.own) / total).toFixed(1),
      "PostgreSQL CPU-µs": ((postgresMicros(on) - before.postgres) / total).toFixed(1),
      "per second": Math.round(total / seconds),
    });
  }
  await connectors.close();
  await vault.stop();
  return rows;
}

/** `atOnce` calls in flight until `count` are done. */
async function drive(count: number, call: (index: number) => Promise<{ found: boolean }>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const { found } = await call(next++);
      if (!found) throw new Error("a token was not found");
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
