/**
 * What does one authorization cost in the edge's process (CPU-µs, user + system), and how much of it is the edge? And what does it cost to send
 * one away with 503, when the house is full?
 *
 * Each server runs in a child process and is asked for its own CPU time; load comes from raw keep-alive sockets here, 64 in flight, one request
 * each. The echo of a bare Fastify is measured before and after, because only ratios within one run mean something on a shared
 * machine.
 *
 *     node gateway-edge/bench/edge.bench.ts [requests per server, default 60000]
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "@florin/runtime/tls";
import { keyRandomBytes, makeSecretKey } from "../src/domain/api-key.ts";

const requestCount = Number(process.argv[2] ?? 60_000);
const warmUpCount = Math.min(20_000, requestCount);
const connectionCount = 64;
const { secretKey } = makeSecretKey("test", randomBytes(keyRandomBytes));
const headEnd = Buffer.from("\r\n\r\n");

let number = 0;
function nextRequest(port: number): string {
  const name = `bench-${process.pid}-${++number}`;
  const body = `{"amount":${1_000 + (number % 9_000)},"currency":"EUR","payment_method":{"type":"card","token":"tok_visa_4242"},"capture_mode":"manual","merchant_reference":"${name}"}`;
  return (
    `POST /v1/payments/authorize HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${secretKey}\r\ncontent-type: application/json\r\n` +
    `accept: application/json\r\nidempotency-key: ${name}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  );
}

/** Sends `count` requests over all connections, one in flight on each. Throws on the first answer of another status. */
async function drive(port: number, count: number, status = 201): Promise<void> {
  let left = count;
  const lane = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      let rest = Buffer.alloc(0);
      const next = () => {
        if (left-- > 0) socket.write(nextRequest(port), "latin1");
        else {
          socket.destroy();
          resolve();
        }
      };
      socket.on("error", reject).on("data", (chunk) => {
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        const end = rest.indexOf(headEnd);
        if (end < 0) return;
        const head = rest.toString("latin1", 0, end);
        const length = Number(/content-length: *(\d+)/i.exec(head)?.[1]);
        if (rest.length < end + 4 + length) return;
        if (!head.startsWith(`HTTP/1.1 ${status}`)) return reject(new Error(rest.toString()));
        rest = Buffer.alloc(0);
        next();
      });
      next();
    });
  await Promise.all(Array.from({ length: connectionCount }, () => lane(connect({ host: "127.0.0.1", port, noDelay: true }))));
}

const children: ChildProcess[] = [];
function start<T>(file: string, words: readonly string[]): Promise<{ child: ChildProcess; told: T }> {
  const child = fork(new URL(file, import.meta.url), [...words], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once("message", (told) => resolve({ child, told: told as T }));
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)));
  });
}

function usageOf(child: ChildProcess): Promise<{ cpuUs: number; rssBytes: number }> {
  return new Promise((resolve) => {
    child.once("message", (usage) => resolve(usage as { cpuUs: number; rssBytes: number }));
    child.send("usage");
  });
}

type Row = { readonly server: string; readonly cpuUs: number; readonly perSecond: number; readonly rssMb: number };

async function measure(kind: string, words: readonly string[]): Promise<Row> {
  const status = kind === "full-edge" ? 503 : 201;
  const { child, told } = await start<{ port: number }>("./edge/servers.ts", [kind, secretKey, ...words]);
  await drive(told.port, warmUpCount, status);
  const before = await usageOf(child);
  const startedAtMs = performance.now();
  await drive(told.port, requestCount, status);
  const tookMs = performance.now() - startedAtMs;
  const after = await usageOf(child);
  child.disconnect();
  return {
    server: kind,
    cpuUs: (after.cpuUs - before.cpuUs) / requestCount,
    perSecond: (requestCount * 1_000) / tookMs,
    rssMb: after.rssBytes / 1_048_576,
  };
}

const directory = mkdtempSync(join(tmpdir(), "florin-edge-bench-"));
try {
  await makeCertificates({ directory, names: ["switch", "edge"] });
  const { told } = await start<{ port: number; answerBytes: number }>("./edge/fake-switch.ts", [directory]);
  const address = `127.0.0.1:${told.port}`;
  const rows: Row[] = [];
  for (const kind of ["echo", "edge", "full-edge", "echo-and-plugin", "echo"]) rows.push(await measure(kind, [address, directory]));
  const echoUs = rows.filter((row) => row.server === "echo").reduce((sum, row) => sum + row.cpuUs, 0) / 2;
  console.log(`${requestCount} authorizations per server, ${connectionCount} in flight, mutual TLS to a switch that approves at once`);
  console.log(`(its answer has ${told.answerBytes} bytes). Node ${process.version}.\n`);
  console.log("| server | CPU-µs per request | × echo | requests/s | RSS MB |\n| --- | --- | --- | --- | --- |");
  for (const row of rows)
    console.log(
      `| ${row.server} | ${row.cpuUs.toFixed(1)} | ${(row.cpuUs / echoUs).toFixed(2)} | ${Math.round(row.perSecond)} | ${Math.round(row.rssMb)} |`,
    );
} finally {
  for (const child of children) if (child.connected) child.disconnect();
  rmSync(directory, { recursive: true, force: true });
}
