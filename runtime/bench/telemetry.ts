/**
 * Question: what does it cost to record a metric, to place a span, and to log a line, against an OpenTelemetry SDK instrument?
 *
 * One process, one thread; each case runs for `callsPerCase` calls after a warm-up, three times, the best counts. Nanoseconds per call.
 */
import { AlwaysOnSampler, NodeTracerProvider, NoopSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { createLogger, startTelemetry } from "../src/telemetry/index.ts";
import { createTracer } from "../src/telemetry/tracer.ts";

const callsPerCase = 1_000_000;
const rounds = 3;

const telemetry = startTelemetry({ service: "bench", otlpUrl: "", traceRatio: 0 });
const { metrics, tracer, meterProvider } = telemetry;
const bound = metrics.histogram("switch_append_duration_seconds");
const sdkCounter = meterProvider.getMeter("bench").createCounter("sdk_total");
const sdkHistogram = meterProvider.getMeter("bench").createHistogram("sdk_seconds");
const provider = new NodeTracerProvider({ sampler: new AlwaysOnSampler(), spanProcessors: [new NoopSpanProcessor()] });
const recording = createTracer(provider.getTracer("bench"), 1);
const unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const logger = createLogger({ service: "bench", level: "info", write: () => {} });

const cases: Readonly<Record<string, () => void>> = {
  "count, one label": () => metrics.count("switch_claims_total", { result: "new" }),
  "record, two labels": () => metrics.record("switch_operation_duration_seconds", 0.003, { operation: "authorize", outcome: "done" }),
  "record, bound once": () => bound.record(0.003),
  "SDK counter, one attribute": () => sdkCounter.add(1, { result: "new" }),
  "SDK histogram, two attributes": () => sdkHistogram.record(0.003, { operation: "authorize", outcome: "done" }),
  "span, new trace, not sampled": () => tracer.startSpan("x").end(),
  "span, caller not sampled": () => tracer.startSpan("x", { parent: unsampled }).end(),
  "span, recorded (not exported)": () => recording.startSpan("x", { attributes: { operation: "authorize" } }).end(),
  "log line below the level": () => logger.debug({ payment_id: "pay_01k9q3m5x7f8g9h0j1k2m3n4p5" }, "authorized"),
  "log line": () => logger.info({ payment_id: "pay_01k9q3m5x7f8g9h0j1k2m3n4p5", duration_ms: 12 }, "authorized"),
};

for (const [name, run] of Object.entries(cases)) {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) best = Math.min(best, nanosecondsPerCall(run));
  console.log(`${name.padEnd(32)} ${best.toFixed(0).padStart(8)} ns`);
}
await telemetry.shutdown();

function nanosecondsPerCall(run: () => void): number {
  for (let index = 0; index < 10_000; index++) run();
  const startedAt = process.hrtime.bigint();
  for (let index = 0; index < callsPerCase; index++) run();
  return Number(process.hrtime.bigint() - startedAt) / callsPerCase;
}
