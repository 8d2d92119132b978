/** The report of the bench, for people (tables) and for tools (--json). */
import { cpus, totalmem } from "node:os";
import type { EchoFigure } from "./echo.ts";
import { firstGateMicros, type Gate } from "./gates.ts";
import { type Figures, voidReason } from "./measure.ts";
import type { Part } from "./readings.ts";

export type Run = {
  readonly name: string;
  readonly figures: Figures /** The acquirer's fixed time; undefined when it varies. */;
  readonly acquirerMs: number | undefined;
};

export type Report = {
  readonly machine: { readonly cpus: number; readonly model: string; readonly memoryBytes: number; readonly node: string };
  readonly mode: string;
  readonly startedAt: string;
  readonly echo: EchoFigure;
  readonly runs: readonly Run[];
  readonly gates: readonly Gate[];
  readonly remarks: readonly string[];
};

export function machineOf(): Report["machine"] {
  return { cpus: cpus().length, model: cpus()[0]?.model ?? "unknown", memoryBytes: totalmem(), node: process.version };
}

export function printReport(report: Report): void {
  const { machine, echo } = report;
  console.log(`${machine.cpus} × ${machine.model}, Node ${machine.node}`);
  console.log(`bare Fastify echo of the same request: ${echo.cpuMicros.toFixed(1)} CPU-µs, ${Math.round(echo.perSecond)}/s\n`);
  for (const run of report.runs) printRun(run, echo);
  console.table(
    report.gates.map(({ name, measured, limit, unit, passed }) => ({
      gate: name,
      measured: round(measured),
      limit: round(limit),
      unit,
      passed: passed ? "yes" : "NO",
    })),
  );
  for (const remark of report.remarks) console.log(remark);
}

function printRun({ name, figures, acquirerMs }: Run, echo: EchoFigure): void {
  console.log(`${name}: ${Math.round(figures.perSecond)} authorizations/s`);
  const reason = voidReason(figures);
  if (reason !== undefined) console.log(`VOID: ${reason}\n${figures.complaints.join("\n")}`);
  console.table({
    ...Object.fromEntries(
      (Object.entries(figures.cpuMicros) as [Part, number][]).map(([part, micros]) => [
        part,
        {
          "CPU-µs": round(micros),
          "first gate here": round((firstGateMicros[part] * echo.cpuMicros) / 16),
          "RSS MB": megabytes(figures.residentBytes[part]),
        },
      ]),
    ),
    sum: { "CPU-µs": round(figures.cpuMicrosSum), "first gate here": round(16 * echo.cpuMicros) },
  });
  console.log(
    `${round(figures.cpuMicrosSum / echo.cpuMicros)} × the echo; WAL flushes ${round(figures.walFlushes, 3)} and bytes ${Math.round(figures.walBytes)} per authorization`,
  );
  console.log(`outside: ${words(figures.outsideMicros)}; PostgreSQL by user: ${words(figures.postgresMicros)} CPU-µs`);
  if (figures.pace.kind === "rate") console.log(latencyLine(figures, acquirerMs));
  console.log("");
}

function latencyLine({ latencyMs }: Figures, acquirerMs: number | undefined): string {
  const less = acquirerMs ?? 0;
  const of = (value: number) => round(Math.max(0, value - less));
  const note = acquirerMs === undefined ? "with the acquirer's time" : `without the acquirer's ${acquirerMs} ms`;
  return `latency ${note}: p50 ${of(latencyMs.p50)} ms, p99 ${of(latencyMs.p99)} ms, p99.9 ${of(latencyMs.p999)} ms, max ${of(latencyMs.max)} ms`;
}

const words = (figures: Readonly<Record<string, number>>) =>
  Object.entries(figures)
    .filter(([, value]) => value >= 0.05)
    .map(([name, value]) => `${name} ${round(value)}`)
    .join(", ");

const megabytes = (bytes: number | undefined) => (bytes === undefined ? "" : Math.round(bytes / 1_048_576));

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
