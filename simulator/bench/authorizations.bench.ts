/**
 * Question: how many authorizations per second does the simulator book on one core, and what does each cost?
 *
 * `node simulator/bench/authorizations.bench.ts [authorizations]`. The simulator runs as its own process on a real PostgreSQL with fsync and
 * synchronous_commit on; 256 keep-alive connections, one request each at a time, every key used once. The driver writes raw bytes and
 * looks at nothing but the status, so that it costs little beside what is measured.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createServiceDatabase } from "@florin/runtime/postgres";
import { freePort, testPostgres, untilTrue } from "@florin/runtime/testing";
import { migrate } from "../src/migrate.ts";

const total = Number(process.argv[2] ?? 40_000);
const connections = 256;
const apiKey = "simpay_bench";

async function main(): Promise<void> {
  const postgres = await testPostgres();
  const { ownerUrl, appUrl } = await createServiceDatabase({
    superuserUrl: postgres.superuserUrl,
    database: "florin_simulator",
    ownerPassword: "owner-secret",
    appPassword: "app-secret",
  });
  await migrate(ownerUrl);
  console.log(`${total} authorizations on ${connections} connections\n`);
  console.log("latency      per second   simulator CPU-µs each   one core's worth");
  for (const latency of ["none", "20"]) await run(appUrl, latency);
  await postgres.stop();
}

async function run(databaseUrl: string, latency: string): Promise<void> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = {
    ...process.env,
    FLORIN_HTTP_PORT: String(port),
    FLORIN_ADMIN_PORT: String(adminPort),
    FLORIN_DATABASE_URL: databaseUrl,
    FLORIN_SIMPAY_API_KEY: apiKey,
    FLORIN_SIMULATOR_LATENCY: latency,
    FLORIN_LOG_LEVEL: "error",
  };
  const main = new URL("../src/main.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [main], { env, stdio: ["ignore", "inherit", "inherit"] });
  try {
    const admin = `http://127.0.0.1:${adminPort}`;
    await untilTrue(async () => (await fetch(`${admin}/health/ready`)).status === 200, 10_000);
    const cpuUs = async () =>
      Number(/^process_cpu_seconds_total\S* (\S+)/m.exec(await (await fetch(`${admin}/metrics`)).text())?.[1]) * 1e6;
    await drive(port, Math.min(total, 8_000), `warm${latency}`);
    const [before, startedAtMs] = [await cpuUs(), performance.now()];
    await drive(port, total, `run${latency}`);
    const durationS = (performance.now() - startedAtMs) / 1_000;
    const each = ((await cpuUs()) - before) / total;
    const rate = Math.round(total / durationS);
    console.log(
      `${latency.padEnd(8)} ${String(rate).padStart(14)} ${each.toFixed(1).padStart(23)} ${String(Math.round(1e6 / each)).padStart(18)}`,
    );
  } finally {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
}

async function drive(port: number, count: number, prefix: string): Promise<void> {
  let next = 0;
  const client = async () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    while (next < count) {
      next += 1;
      await exchange(socket, requestOf(`${prefix}_${next}`));
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: connections }, client));
}

/** The answers are small: each comes in one piece. */
async function exchange(socket: Socket, request: string): Promise<void> {
  socket.write(request);
  const [answer] = (await once(socket, "data")) as [Buffer];
  const status = answer.toString("latin1", 9, 12);
  if (status !== "201") throw new Error(answer.toString("latin1"));
}

function requestOf(reference: string): string {
  const body = JSON.stringify({
    merchant_id: "mer_01jd0000000000000000000000",
    payment_id: `pay_${reference}`,
    merchant_reference: `order-${reference}`,
    amount: 1_000,
    currency: "EUR",
    capture: false,
    card: { number: "4242424242424242", exp_month: 12, exp_year: 2035, cvc: "123" },
  });
  return (
    `POST /v1/authorizations HTTP/1.1\r\nhost: simpay\r\nauthorization: Bearer ${apiKey}\r\nidempotency-key: ${reference}\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  );
}

await main();
