/**
 * Question: how long until a caller hears the no of a full house, where caller and edge have a core each?
 *
 * The drill's crowd shares its cores with what it measures and is late itself. Here a full edge and the caller are all that computes, and the edge
 * does nothing but say no: what a no takes by itself, not what it takes beside payments. Calls come by
 * the clock, whether or not earlier ones are answered, over 512 keep-alive connections; each is timed from the moment it was meant to leave, so
 * that a caller that comes late makes it longer, not shorter, and all of them are answered. The ruler is a bare Fastify that echoes the body, at the same rates in the same run.
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
/** For the last answers. */
const patienceMs = 5_000;
const rates = [1_000, 4_000, 8_000] as const;
const statusOf: Readonly<Record<string, string>> = { "full-edge": "503", echo: "201" };

type Timed = { readonly times: readonly number[]; readonly withoutTurn: number };

/** Calls by the clock for a while. `ended` has the milliseconds of each, all of them; it rejects on an answer of another status. */
class Knocking {
  readonly #target: { readonly port: number; readonly kind: string; readonly perSecond: number };
  readonly #startedAtMs = performance.now();
  readonly #lanes: readonly Lane[];
  /** All of them in turn: the edge closes a connection that never says anything. */
  readonly #free: Lane[];
  /** When calls were meant to leave: of those under way, and of those that found no lane yet. */
  readonly #meant = new Map<Lane, number>();
  readonly #waiting: number[] = [];
  readonly #times: number[] = [];
  readonly #clock: NodeJS.Timeout;
  readonly #done = Promise.withResolvers<Timed>();
  #sent = 0;
  #withoutTurn = 0;

  constructor(target: { readonly port: number; readonly kind: string; readonly perSecond: number }) {
    this.#target = target;
    const open = () =>
      openLane(
        target.port,
        (answer, lane) => this.#onAnswer(answer, lane),
        (error) => this.#end(error),
      );
    this.#lanes = Array.from({ length: lanesMax }, open);
    this.#free = [...this.#lanes];
    this.#clock = setInterval(() => this.#onTick(), tickMs);
  }

  get ended(): Promise<Timed> {
    return this.#done.promise;
  }

  #onTick(): void {
    const { perSecond } = this.#target;
    const passedMs = performance.now() - this.#startedAtMs;
    const untilMs = (warmUpSeconds + seconds) * 1_000;
    if (passedMs > untilMs) {
      if (this.#meant.size === 0) this.#end();
      else if (passedMs > untilMs + patienceMs) this.#end(new Error(`${this.#meant.size} calls were never answered`));
      return;
    }
    for (; this.#sent < (passedMs * perSecond) / 1_000; this.#sent += 1) {
      const meantAtMs = this.#startedAtMs + (this.#sent * 1_000) / perSecond;
      const lane = this.#free.shift();
      if (lane === undefined) this.#waiting.push(meantAtMs);
      else this.#begin(lane, meantAtMs);
    }
  }

  #begin(lane: Lane, meantAtMs: number): void {
    this.#meant.set(lane, meantAtMs);
    lane.send(nextRequest(this.#target.port));
  }

  #onAnswer(answer: string, lane: Lane): void {
    const { kind } = this.#target;
    const meantAtMs = required(this.#meant.get(lane), "a call on this lane");
    this.#meant.delete(lane);
    if (!answer.startsWith(`HTTP/1.1 ${statusOf[kind]}`)) {
      this.#end(new Error(answer));
      return;
    }
    if (meantAtMs - this.#startedAtMs >= warmUpSeconds * 1_000) {
      this.#times.push(performance.now() - meantAtMs);
      if (kind === "full-edge" && !/\r\nretry-after: \d/i.test(answer)) this.#withoutTurn += 1;
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(lane);
    else this.#begin(lane, next);
  }

  #end(error?: Error): void {
    clearInterval(this.#clock);
    for (const lane of this.#lanes) lane.close();
    if (error === undefined) this.#done.resolve({ times: this.#times, withoutTurn: this.#withoutTurn });
    else this.#done.reject(error);
  }
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
    for (const rate of rates) rows[`${kind}, ${rate}/s`] = row(await new Knocking({ port, kind, perSecond: rate }).ended);
    child.disconnect();
  }
  console.log("milliseconds from the moment a call was meant to leave until its answer was read");
  console.table(rows);
});
