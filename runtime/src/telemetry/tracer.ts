/**
 * Spans, placed by hand.
 *
 * The first process of a trace decides by ratio whether it is sampled; everybody after it follows the flag in the traceparent. A trace
 * that is not sampled costs its id and nothing else. A caller's unsampled traceparent is passed on untouched.
 *
 * Attributes hold no card data: strings pass the guard of the logger.
 */
import { type Context, context, type Tracer as OpenTelemetryTracer, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { maskCardNumbers } from "./line-guard.ts";
import { formatTraceparent, isSampled, newTraceparent, parseTraceparent } from "./traceparent.ts";

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;
/** `ok`: an answer, also a decline. `refused`: bad input or a business refusal. `fault`: something of ours or of a peer failed. */
export type SpanOutcome = "ok" | "refused" | "fault";

export type SpanOptions = {
  /** Traceparent of the caller; undefined or malformed begins a new trace. */
  readonly parent?: string | undefined;
  readonly attributes?: SpanAttributes | undefined;
  readonly kind?: "internal" | "server" | "client" | "producer" | "consumer";
};

export type Span = {
  /** What to hand to the next process. */
  readonly traceparent: string;
  readonly isRecording: boolean;
  /** Ends the span; a second call does nothing. `attributes` are those known only now. */
  end(outcome?: SpanOutcome, attributes?: SpanAttributes): void;
};

export interface Tracer {
  /** Nothing is recorded until `end`. Cheap when the trace is not sampled. */
  startSpan(name: string, options?: SpanOptions): Span;
  /** Runs `work` inside a span: `ok` when it resolves, `fault` when it rejects. */
  withSpan<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
}

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

class PassedOnSpan implements Span {
  readonly traceparent: string;
  readonly isRecording = false;

  constructor(traceparent: string) {
    this.traceparent = traceparent;
  }

  end(): void {}
}

/** `tracer` undefined: nothing is recorded here, ids are still made and passed on. `traceRatio` 0 to 1. */
export function createTracer(tracer: OpenTelemetryTracer | undefined, traceRatio: number): Tracer {
  const startSpan = (name: string, options: SpanOptions = {}): Span => {
    const { parent } = options;
    const context = parent === undefined ? undefined : parseTraceparent(parent);
    if (parent === undefined || context === undefined) return startRoot(tracer, traceRatio, name, options);
    if (tracer === undefined || !context.isSampled) return new PassedOnSpan(parent);
    return startRecorded(tracer, name, parent, options);
  };
  return {
    startSpan,
    withSpan: async (name, options, work) => {
      const span = startSpan(name, options);
      try {
        const value = await work(span);
        span.end("ok");
        return value;
      } catch (thrown) {
        span.end("fault");
        throw thrown;
      }
    },
  };
}

function startRoot(tracer: OpenTelemetryTracer | undefined, traceRatio: number, name: string, options: SpanOptions): Span {
  const sampled = tracer !== undefined && traceRatio > 0 && Math.random() < traceRatio;
  if (!sampled || tracer === undefined) return new PassedOnSpan(newTraceparent(false));
  return startRecorded(tracer, name, undefined, options);
}

function startRecorded(tracer: OpenTelemetryTracer, name: string, parent: string | undefined, options: SpanOptions): Span {
  const kind = kinds[options.kind ?? "internal"];
  const span = tracer.startSpan(
    name,
    { kind, ...(options.attributes === undefined ? {} : { attributes: masked(options.attributes) }) },
    contextOf(parent),
  );
  const { traceId, spanId } = span.spanContext();
  let hasEnded = false;
  return {
    traceparent: formatTraceparent({ traceId, spanId, isSampled: true }),
    isRecording: true,
    end: (outcome = "ok", attributes) => {
      if (hasEnded) return;
      hasEnded = true;
      if (attributes !== undefined) span.setAttributes(masked(attributes));
      span.setAttribute("florin.outcome", outcome);
      if (outcome === "fault") span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

function contextOf(parent: string | undefined): Context {
  const parsed = parseTraceparent(parent);
  if (parsed === undefined) return context.active();
  const { traceId, spanId } = parsed;
  return trace.setSpanContext(context.active(), {
    traceId,
    spanId,
    traceFlags: isSampled(parent ?? "") ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  });
}

function masked(attributes: SpanAttributes): SpanAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, typeof value === "string" ? maskCardNumbers(value, "span") : value]),
  );
}
