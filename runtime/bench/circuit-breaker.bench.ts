/**
 * Question: what does a circuit breaker cost per call that it lets through and that succeeds?
 *
 * One `admit` and one `settle` per call, 256 calls under way; the ruler is the same loop with a bare object per call. Both read the clock as
 * the switch does. One process, user + system CPU, medians of rounds; 10 s.
 *
 *   node runtime/bench/circuit-breaker.bench.ts
 */
import { required } from "@florin/kernel";
import { type CircuitBreaker, createCircuitBreaker, type Ticket } from "../src/resilience/index.ts";

const callsPerRound = 1_000_000;
const rounds = 9;
const inFlight = 256;

const settings = { failureShare: 0.5, volumeMin: 20, windowMs: 2_000, slowAfterMs: 1_500, openMs: 1_000, probesMax: 3 };
const now = () => performance.now();
const breaker = createCircuitBreaker({ settings, now });
const bare: Pick<CircuitBreaker, "admit" | "settle"> = { admit: () => ({ round: now(), slice: 0 }), settle: () => void now() };

const figures: Record<"breaker" | "bare", number[]> = { breaker: [], bare: [] };
for (let round = 0; round <= rounds; round += 1) {
  const nanos = { breaker: drive(breaker), bare: drive(bare) };
  // The first round warms up.
  if (round === 0) continue;
  figures.breaker.push(nanos.breaker);
  figures.bare.push(nanos.bare);
}
console.table({ breaker: { "CPU-ns per call": median(figures.breaker) }, bare: { "CPU-ns per call": median(figures.bare) } });

function drive(circuit: Pick<CircuitBreaker, "admit" | "settle">): number {
  const underWay: (Ticket | undefined)[] = Array.from({ length: inFlight }, () => undefined);
  const before = process.cpuUsage();
  for (let call = 0; call < callsPerRound; call += 1) {
    const ended = underWay[call % inFlight];
    if (ended !== undefined) circuit.settle(ended, "success");
    underWay[call % inFlight] = circuit.admit();
  }
  const { user, system } = process.cpuUsage(before);
  return Math.round(((user + system) * 1_000) / callsPerRound);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return required(sorted[Math.floor(sorted.length / 2)], "a value");
}
