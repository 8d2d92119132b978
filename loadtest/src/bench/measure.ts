/** One measured run against a stack: what an authorization costs and how long it takes. */
import type { OwnStack } from "../stack/own-stack.ts";
import { drive } from "./drive.ts";
import type { Latency, Pace, Result } from "./plan.ts";
import { countedParts, createReader, type Part, type Reading, residentBytes } from "./readings.ts";

export type MeasureOptions = {
  readonly stack: OwnStack;
  readonly tokens: readonly string[];
  readonly runId: string;
  readonly pace: Pace;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** 0: no bound. */
  readonly requestsMax?: number;
};

/** Everything "per authorization" counts the answers of the measured time. */
export type Figures = {
  readonly pace: Pace;
  readonly perSecond: number;
  readonly answers: Result["answers"];
  readonly accepted: number;
  readonly complaints: readonly string[];
  readonly cpuMicros: Readonly<Record<Part, number>>;
  readonly cpuMicrosSum: number;
  readonly postgresMicros: Readonly<Record<string, number>>;
  readonly outsideMicros: Readonly<Record<string, number>>;
  /** The acquirer's time included. */
  readonly latencyMs: Latency;
  readonly walFlushes: number;
  readonly walBytes: number;
  readonly residentBytes: Readonly<Record<string, number>>;
  readonly dropped: number;
  readonly waitingMost: number;
};

export const authorizePath = "/v1/payments/authorize";

export async function measure(options: MeasureOptions): Promise<Figures> {
  const { up } = options.stack;
  const edge = new URL(up.edgeUrl);
  const reader = createReader(up);
  try {
    const driven = await drive(
      {
        host: edge.hostname,
        port: Number(edge.port),
        path: authorizePath,
        secretKey: up.secretKey,
        tokens: options.tokens,
        runId: options.runId,
        pace: options.pace,
        warmUpSeconds: options.warmUpSeconds,
        seconds: options.seconds,
        requestsMax: options.requestsMax ?? 0,
      },
      () => reader.read(),
    );
    return figuresOf(options, driven);
  } finally {
    await reader.close();
  }
}

type Driven = { readonly result: Result; readonly before: Reading; readonly after: Reading; readonly answers: number };

function figuresOf(options: MeasureOptions, { result, before, after, answers }: Driven): Figures {
  const count = Math.max(answers, 1);
  const each = (later: ReadonlyMap<string, number>, earlier: ReadonlyMap<string, number>) => (name: string) =>
    ((later.get(name) ?? 0) - (earlier.get(name) ?? 0)) / count;
  const cpu = each(after.cpuMicros, before.cpuMicros);
  const database = each(after.postgresMicros, before.postgresMicros);
  const cpuMicros = Object.fromEntries(countedParts.map((part) => [part, cpu(part)])) as Record<Part, number>;
  return {
    pace: options.pace,
    perSecond: answers / result.seconds,
    answers: result.answers,
    accepted: result.accepted,
    complaints: result.complaints,
    cpuMicros,
    cpuMicrosSum: countedParts.reduce((sum, part) => sum + cpuMicros[part], 0),
    postgresMicros: Object.fromEntries([...after.postgresMicros.keys()].map((name) => [name, database(name)])),
    outsideMicros: { generator: result.generatorCpuMicros, simulator: cpu("simulator") },
    latencyMs: result.latencyMs,
    walFlushes: (after.walFlushes - before.walFlushes) / count,
    walBytes: (after.walBytes - before.walBytes) / count,
    residentBytes: Object.fromEntries(residentBytes(options.stack.up)),
    dropped: result.dropped,
    waitingMost: result.waitingMost,
  };
}

/** A run whose answers are not all 201, or whose requests were dropped, measures something else. */
export function voidReason(figures: Figures): string | undefined {
  if (figures.dropped > 0) return `${figures.dropped} requests were never sent`;
  const others = Object.entries(figures.answers).filter(([status]) => status !== "201");
  const bad = others.reduce((sum, [, count]) => sum + count, 0);
  const all = bad + (figures.answers["201"] ?? 0);
  if (all === 0) return "there were no answers";
  return bad / all > 0.001 ? `answers other than 201: ${others.map(([status, count]) => `${count} × ${status}`).join(", ")}` : undefined;
}
