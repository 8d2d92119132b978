/**
 * Question: how long until a caller hears the no of a full house, where caller and edge have a core each?
 *
 * The drill's crowd shares its cores with what it measures and is late itself. Here a full edge and the caller are all that computes. Calls come by
 * the clock, whether or not earlier ones are answered, over 512 keep-alive connections; each is timed from the moment it was meant to leave, so
 * that a caller that comes late makes it longer, not shorter. The ruler is a bare Fastify that echoes the body, at the same rates in the same run.
 * The flags are those that our processes run with (deploy/README.md, "Memory"); the servers inherit them.
 *
 *   node --max-semi-space-size=16 --heap-growing-percent=200 gateway-edge/bench/refusal.bench.ts [seconds of each rate, default 15]
 */
import { performance } from "node:perf_hooks";
import { required } from "@florin/kernel";
import { type Lane, nextRequest, openLane, withServers } from "./edge/lanes.ts";

const seconds = Number(process.argv[2] ?? 15);
const warmUpSeconds = 3;
const lanesMax = 512;
const tickMs = 1;
const rates = [1_000, 4_000, 8_000] as const;
const statusOf: Readonly<Record<string, string>> = { "full-edge": "503", echo: "201" };

type Timed = { readonly times: readonly number[]; readonly withoutTurn: number };

/** Milliseconds of each call, in order of their ends. Throws on an answer of another status. */
function knock(port: number, kind: string, perSecond: number): Promise<Timed> {
  return new Promise((resolve, reject) => {
    const times: number[] = [];
    let withoutTurn = 0;
    const waiting: number[] = [];
    const meant = new Map<Lane, number>();
    const expected = `HTTP/1.1 ${statusOf[kind]}`;
    const startedAtMs = performance.now();
    const measuredFromMs = startedAtMs + warmUpSeconds * 1_000;
    const begin = (lane: Lane, meantAtMs: number): void => {
      meant.set(lane, meantAtMs);
      lane.send(nextRequest(port));
    };
    const onAnswer = (head: string, lane: Lane): void => {
      const meantAtMs = required(meant.get(lane), "a call on this lane");
      if (!head.startsWith(expected)) {
        finish(new Error(head));
        return;
      }
      if (meantAtMs >= measuredFromMs) {
        times.push(performance.now() - meantAtMs);
        if (kind === "full-edge" && !/\r\nretry-after: \d/i.test(head)) withoutTurn += 1;
      }
      const next = waiting.shift();
      if (next === undefined) free.push(lane);
      else begin(lane, next);
    };
    const lanes = Array.from({ length: lanesMax }, () => openLane(port, onAnswer, (error) => finish(error)));
    // All of them in turn: the edge closes a connection that never says anything.
    const free = [...lanes];
    let sent = 0;
    const clock = setInterval(() => {
      const passedMs = performance.now() - startedAtMs;
      if (passedMs > (warmUpSeconds + seconds) * 1_000) {
        finish();
        return;
      }
      for (; sent < (passedMs * perSecond) / 1_000; sent += 1) {
        const meantAtMs = startedAtMs + (sent * 1_000) / perSecond;
        const lane = free.shift();
        if (lane === undefined) waiting.push(meantAtMs);
        else begin(lane, meantAtMs);
      }
    }, tickMs);
    const finish = (error?: Error): void => {
      clearInterval(clock);
      for (const lane of lanes) lane.close();
      if (error === undefined) resolve({ times, withoutTurn });
      else reject(error);
    };
  });
}

function row({ times, withoutTurn }: Timed) {
  const sorted = [...times].sort((left, right) => left - right);
  const at = (share: number) => required(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))], "a time").toFixed(1);
  const late = sorted.filter((ms) => ms > 5).length / sorted.length;
  return {
    answers: sorted.length,
    p50: at(0.5),
    p99: at(0.99),
    "p99.9": at(0.999),
    max: at(1),
    "beyond 5 ms": `${(100 * late).toFixed(2)} %`,
    withoutTurn,
  };
}

await withServers(async ({ start }) => {
  const rows: Record<string, ReturnType<typeof row>> = {};
  for (const kind of ["echo", "full-edge"]) {
    const { port, child } = await start(kind);
    for (const rate of rates) rows[`${kind}, ${rate}/s`] = row(await knock(port, kind, rate));
    child.disconnect();
  }
  console.log("milliseconds from the moment a call was meant to leave until its answer was read");
  console.table(rows);
});
