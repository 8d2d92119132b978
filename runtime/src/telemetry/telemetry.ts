/**
 * Metrics and spans of one process, through OpenTelemetry.
 *
 * Nothing listens here: the admin server serves `scrape`. Spans are exported only when `otlpUrl` is set; the exporter is loaded only then.
 */
import { createRequire } from "node:module";
import type { Tracer as OpenTelemetryTracer } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { createMetrics, type Metrics } from "./metrics.ts";
import { observeProcess } from "./process-metrics.ts";
import { createTracer, type Tracer } from "./tracer.ts";

export type TelemetryOptions = {
  readonly service: string;
  /** OTLP over HTTP, for example http://127.0.0.1:4318/v1/traces. Empty: spans are not recorded. */
  readonly otlpUrl: string;
  /** Part of new traces that is recorded, 0 to 1. */
  readonly traceRatio: number;
};

export type Telemetry = {
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** For instruments of libraries; what they record is scraped too. */
  readonly meterProvider: MeterProvider;
  /** All metrics in Prometheus text format. */
  scrape(): Promise<string>;
  /** Sends what is left of the spans (at most 5 s) and stops. Safe to repeat. */
  shutdown(): Promise<void>;
};

const exportTimeoutMs = 5_000;
const spanQueueDepthMax = 2_048;
const spanBatchMax = 512;

class ScrapeReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

export function startTelemetry(options: TelemetryOptions): Telemetry {
  const resource = resourceFromAttributes({ "service.name": options.service });
  const metrics = createMetrics(`${options.service}_`);
  const stopObserving = observeProcess(metrics);
  const reader = new ScrapeReader({ metricProducers: [metrics.producer] });
  const meterProvider = new MeterProvider({ resource, readers: [reader] });
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true);
  const exporting = options.otlpUrl === "" ? undefined : exportSpans(options);
  let stopped: Promise<void> | undefined;
  const shutdown = async (): Promise<void> => {
    stopObserving();
    await exporting?.shutdown();
    await meterProvider.shutdown();
  };
  return {
    metrics,
    meterProvider,
    tracer: createTracer(exporting?.tracer, options.traceRatio),
    scrape: async () => serializer.serialize((await reader.collect()).resourceMetrics),
    shutdown: () => {
      stopped ??= shutdown();
      return stopped;
    },
  };
}

type Exporting = { readonly tracer: OpenTelemetryTracer; shutdown(): Promise<void> };

function exportSpans(options: TelemetryOptions): Exporting {
  const load = createRequire(import.meta.url);
  const { AlwaysOnSampler, BatchSpanProcessor, NodeTracerProvider } = load(
    "@opentelemetry/sdk-trace-node",
  ) as typeof import("@opentelemetry/sdk-trace-node");
  const { OTLPTraceExporter } = load(
    "@opentelemetry/exporter-trace-otlp-proto",
  ) as typeof import("@opentelemetry/exporter-trace-otlp-proto");
  const exporter = new OTLPTraceExporter({ url: options.otlpUrl, timeoutMillis: exportTimeoutMs });
  const processor = new BatchSpanProcessor(exporter, {
    maxQueueSize: spanQueueDepthMax,
    maxExportBatchSize: spanBatchMax,
    exportTimeoutMillis: exportTimeoutMs,
  });
  // Whether a trace is sampled is decided before a span is made, so whatever arrives here is recorded.
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": options.service }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [processor],
  });
  return { tracer: provider.getTracer("florin"), shutdown: () => provider.shutdown().catch(() => {}) };
}
