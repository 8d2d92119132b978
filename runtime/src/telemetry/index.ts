export { maskCardNumbers } from "./line-guard.ts";
export { createLogger, type Logger, type LoggerOptions } from "./logger.ts";
export {
  type CounterName,
  type GaugeName,
  type HistogramName,
  type LabelsOf,
  type MetricEntry,
  type MetricName,
  metricTable,
  metricTableMarkdown,
} from "./metric-table.ts";
export type { BoundCounter, BoundHistogram, Metrics } from "./metrics.ts";
export { startTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry.ts";
export { formatTraceparent, isSampled, parseTraceparent, type TraceContext } from "./traceparent.ts";
export type { Span, SpanAttributes, SpanOptions, SpanOutcome, Tracer } from "./tracer.ts";
