/** What the overload drill prints: a line per phase, the CPU of each process in it, and at the end what held and what did not. */
import type { Held } from "./judge.ts";
import type { CrowdResult } from "./plan.ts";

const nameWidth = 30;

export function printPhase(name: string, result: CrowdResult, cpu: ReadonlyMap<string, number>): void {
  console.log(renderPhase(name, result, cpu));
}

export function renderPhase(name: string, result: CrowdResult, cpu: ReadonlyMap<string, number>): string {
  const { seconds, acceptedMs, sentAwayMs } = result;
  const rate = (count: number) => `${(count / seconds).toFixed(0)}/s`;
  const words = [
    `accepted ${rate(result.accepted)}, p50 ${acceptedMs.p50.toFixed(0)} p99 ${acceptedMs.p99.toFixed(0)} max ${acceptedMs.max.toFixed(0)} ms`,
  ];
  if (result.sentAway > 0)
    words.push(
      `503 ${rate(result.sentAway)}, p50 ${sentAwayMs.p50.toFixed(1)} p99 ${sentAwayMs.p99.toFixed(1)} ms, Retry-After ${(result.retryAfterMsMean / 1_000).toFixed(1)} s`,
      `gave up ${rate(result.gaveUp)}`,
    );
  if (result.limited > 0) words.push(`429 ${rate(result.limited)}`);
  for (const [status, count] of Object.entries(result.others)) words.push(`${status}: ${count}`);
  const busiest = [...cpu].filter(([, share]) => share >= 0.02).toSorted(([, left], [, right]) => right - left);
  const cores = [["crowd", result.cpuShare] as const, ...busiest].map(([process, share]) => `${process} ${share.toFixed(2)}`).join(", ");
  const lines = [`${name.padEnd(nameWidth)} ${words.join("; ")}`, `${" ".repeat(nameWidth)} cores: ${cores}`];
  for (const complaint of result.complaints) lines.push(`${" ".repeat(nameWidth)} ${complaint}`);
  return lines.join("\n");
}

export function renderHeld(held: readonly Held[], { isShort }: { readonly isShort: boolean }): string {
  const width = Math.max(...held.map(({ name }) => name.length));
  return held
    .map(({ name, value, limit, unit, isHeld, isTimed }) => {
      const number = (figure: number) => (Number.isInteger(figure) ? String(figure) : figure.toFixed(2));
      const verdict = isTimed && isShort ? "shown " : isHeld ? "ok    " : "FAILED";
      return `${verdict} ${name.padEnd(width)} ${number(value)}${unit === "" ? "" : ` ${unit}`} (limit ${number(limit)})`;
    })
    .join("\n");
}
