/** What the simulated processes would tell an operator: nobody listens. */
import { createLogger, type Metrics, type Tracer } from "@florin/runtime/telemetry";

export const quietLogger = createLogger({ service: "simulation", level: "silent" });

const nothing = (): void => {};
const cell = { add: nothing, record: nothing };

export const quietMetrics: Metrics = {
  count: nothing,
  record: nothing,
  gauge: nothing,
  countFrom: nothing,
  counter: () => cell,
  histogram: () => cell,
};

const span = { traceparent: "", isRecording: false, end: nothing };

export const quietTracer: Tracer = {
  startSpan: () => span,
  withSpan: (_name, _options, work) => work(span),
};
