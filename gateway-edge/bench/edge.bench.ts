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
import { type Lane, nextRequest, openLane, type Servers, usageOf, withServers } from "./edge/lanes.ts";

const requestCount = Number(process.argv[2] ?? 60_000);
const warmUpCount = Math.min(20_000, requestCount);
const connectionCount = 64;

/** Sends `count` requests over all connections, one in flight on each. Throws on the first answer of another status. */
async function drive(port: number, count: number, status = 201): Promise<void> {
  let left = count;
  const lane = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const onAnswer = (answer: string, free: Lane): void => {
        if (!answer.startsWith(`HTTP/1.1 ${status}`)) reject(new Error(answer));
        else if (left-- > 0) free.send(nextRequest(port));
        else {
          free.close();
          resolve();
        }
      };
      const opened = openLane(port, onAnswer, reject);
      left -= 1;
      opened.send(nextRequest(port));
    });
  await Promise.all(Array.from({ length: Math.min(connectionCount, count) }, lane));
}

type Row = { readonly server: string; readonly cpuUs: number; readonly perSecond: number; readonly rssMb: number };

async function measure(start: Servers["start"], kind: string): Promise<Row> {
  const status = kind === "full-edge" ? 503 : 201;
  const { child, port } = await start(kind);
  await drive(port, warmUpCount, status);
  const before = await usageOf(child);
  const startedAtMs = performance.now();
  await drive(port, requestCount, status);
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

await withServers(async ({ start, answerBytes }) => {
  const rows: Row[] = [];
  for (const kind of ["echo", "edge", "full-edge", "echo-and-plugin", "echo"]) rows.push(await measure(start, kind));
  const echoUs = rows.filter((row) => row.server === "echo").reduce((sum, row) => sum + row.cpuUs, 0) / 2;
  console.log(`${requestCount} authorizations per server, ${connectionCount} in flight, mutual TLS to a switch that approves at once`);
  console.log(`(its answer has ${answerBytes} bytes). Node ${process.version}.\n`);
  console.log("| server | CPU-µs per request | × echo | requests/s | RSS MB |\n| --- | --- | --- | --- | --- |");
  for (const row of rows)
    console.log(
      `| ${row.server} | ${row.cpuUs.toFixed(1)} | ${(row.cpuUs / echoUs).toFixed(2)} | ${Math.round(row.perSecond)} | ${Math.round(row.rssMb)} |`,
    );
});
