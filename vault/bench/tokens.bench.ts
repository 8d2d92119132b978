/**
 * Question: how many cards a second does one vault turn into tokens over HTTP, each committed, and what does one cost?
 *
 *   node vault/bench/tokens.bench.ts [cards=10000]
 *
 * `main.ts` as a process, PostgreSQL with fsync and synchronous_commit on, keep-alive connections from this process on the same cores.
 */
import { Agent, request } from "node:http";
import { required } from "@florin/kernel";
import { cardBody, newId, openStage, startVault } from "../test/stage.ts";
import { cpuMicrosOf, findPostgres, postgresMicros } from "./cpu.ts";

const total = Number(process.argv[2] ?? 10_000);
const numbers = ["4242424242424242", "5555555555554444", "378282246310005", "6011111111111117"];

const stage = await openStage();
await findPostgres(stage);
try {
  const vault = await startVault(stage, { FLORIN_LOG_LEVEL: "error" });
  const key = await stage.key(newId("merchant"));
  const bodies = numbers.map((number) => JSON.stringify(cardBody(number)));
  const rows = [];
  for (const inFlight of [1, 16, 128]) {
    const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
    let next = 0;
    const lane = async (until: number): Promise<void> => {
      while (next < until) {
        const body = required(bodies[next++ % bodies.length], "a body");
        const status = await post(`${vault.url}/v1/tokens`, agent, key, body);
        if (status !== 201) throw new Error(`the vault answered ${status}`);
      }
    };
    const run = async (count: number) => {
      next = 0;
      await Promise.all(Array.from({ length: inFlight }, () => lane(count)));
    };
    const count = inFlight === 1 ? Math.ceil(total / 10) : total;
    await run(Math.ceil(count / 4));
    const before = { own: cpuMicrosOf(vault.child.pid), postgres: postgresMicros(stage), atMs: performance.now() };
    await run(count);
    const seconds = (performance.now() - before.atMs) / 1_000;
    const micros = (cpuMicrosOf(vault.child.pid) - before.own) / count;
    rows.push({
      "in flight": inFlight,
      "tokens/s": Math.round(count / seconds),
      "tokens/s per core of the vault": Math.round(1_000_000 / micros),
      "vault CPU-µs": micros.toFixed(0),
      "PostgreSQL CPU-µs": ((postgresMicros(stage) - before.postgres) / count).toFixed(0),
    });
    agent.destroy();
  }
  console.table(rows);
  await vault.stop();
} finally {
  await stage.close();
}

function post(url: string, agent: Agent, key: string, body: string): Promise<number | undefined> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", agent, headers }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode));
    });
    sent.once("error", reject).end(body);
  });
}
