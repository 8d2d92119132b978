/** How long the acquirer takes to answer. Pure: the caller brings the random number. */

export type Latency =
  | { readonly kind: "none" }
  | { readonly kind: "fixed"; readonly ms: number }
  | { readonly kind: "uniform"; readonly minMs: number; readonly maxMs: number };

export const latencyMsMax = 120_000;

/** "0" or "none", "20", "300-1200" (milliseconds). Undefined for anything else. */
export function parseLatency(text: string): Latency | undefined {
  if (text === "none" || text === "0") return { kind: "none" };
  const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(text);
  if (match === null) return undefined;
  const minMs = Number(match[1]);
  const maxMs = match[2] === undefined ? minMs : Number(match[2]);
  if (minMs > maxMs || maxMs > latencyMsMax) return undefined;
  return minMs === maxMs ? { kind: "fixed", ms: minMs } : { kind: "uniform", minMs, maxMs };
}

export function formatLatency(latency: Latency): string {
  if (latency.kind === "none") return "none";
  return latency.kind === "fixed" ? String(latency.ms) : `${latency.minMs}-${latency.maxMs}`;
}

/** Milliseconds, whole. `random` is in [0, 1). */
export function drawLatencyMs(latency: Latency, random: number): number {
  if (latency.kind === "none") return 0;
  if (latency.kind === "fixed") return latency.ms;
  return latency.minMs + Math.floor(random * (latency.maxMs - latency.minMs + 1));
}
