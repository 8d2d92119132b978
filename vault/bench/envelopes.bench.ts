/**
 * Question: what does it cost that a card arrives encrypted (JWE), and how many of them does one core turn into tokens a second?
 *
 *   node vault/bench/envelopes.bench.ts [cards=4000]
 *
 * `main.ts` as a process with one worker thread, the default; PostgreSQL with fsync and synchronous_commit on; the envelopes are made beforehand by the
 * code of the card fields. Each is marked as used and its card stored, both committed. Gate: 1,500 tokens a second per core, which is 667 CPU-µs of
 * the vault per token.
 */
import { Agent, request } from "node:http";
import { required } from "@florin/kernel";
import { type EnvelopeKey, encryptEnvelope, makeJti } from "../src/browser/jwe.ts";
import { cardBody, newId, openStage, startVault } from "../test/stage.ts";
import { cpuMicrosOf, findPostgres, postgresMicros } from "./cpu.ts";

const total = Number(process.argv[2] ?? 4_000);
const inFlight = 128;
const gatePerCore = 1_500;
const origin = "https://shop.example";

const stage = await openStage();
await findPostgres(stage);
try {
  const vault = await startVault(stage, { FLORIN_LOG_LEVEL: "error" });
  const publishableKey = await stage.key(newId("merchant"));
  const { now, ...key } = (await (await fetch(`${vault.url}/fields/key`)).json()) as EnvelopeKey & { now: number };
  const body = JSON.stringify(cardBody("4242424242424242"));
  const envelope = (): Promise<string> =>
    encryptEnvelope(new TextEncoder().encode(body), key, { key: publishableKey, origin, iat: now, jti: makeJti() });
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const post = (type: string, sent: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${publishableKey}`, "content-type": type, "content-length": Buffer.byteLength(sent) };
      request(`${vault.url}/v1/tokens`, { method: "POST", agent, headers }, (response) => {
        response
          .resume()
          .once("end", () => (response.statusCode === 201 ? resolve() : reject(new Error(`answered ${response.statusCode}`))));
      })
        .once("error", reject)
        .end(sent);
    });
  const measure = async (what: string, type: string, bodies: readonly string[]) => {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < bodies.length) await post(type, required(bodies[next++], "a body"));
    };
    const before = { own: cpuMicrosOf(vault.child.pid), postgres: postgresMicros(stage), atMs: performance.now() };
    await Promise.all(Array.from({ length: inFlight }, lane));
    const seconds = (performance.now() - before.atMs) / 1_000;
    const micros = (cpuMicrosOf(vault.child.pid) - before.own) / bodies.length;
    return {
      what,
      "tokens/s": Math.round(bodies.length / seconds),
      "vault CPU-µs": Math.round(micros),
      "PostgreSQL CPU-µs": Math.round((postgresMicros(stage) - before.postgres) / bodies.length),
      "tokens/s per core of the vault": Math.round(1_000_000 / micros),
    };
  };
  const envelopes: string[] = [];
  for (let made = 0; made < total * 1.5; made++) envelopes.push(await envelope());
  const plain = Array.from({ length: total }, () => body);
  await measure("warm-up", "application/jose", envelopes.splice(0, total / 2));
  await measure("warm-up", "application/json", plain.slice(0, total / 2));
  const rows = [await measure("card in JSON", "application/json", plain), await measure("card in a JWE", "application/jose", envelopes)];
  console.table(rows);
  const perCore = rows[1]?.["tokens/s per core of the vault"] ?? 0;
  console.log(`gate ${gatePerCore} per core: ${perCore >= gatePerCore ? "met" : "MISSED"}`);
  agent.destroy();
  await vault.stop();
} finally {
  await stage.close();
}
