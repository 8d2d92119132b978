import { AlwaysOnSampler, InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { describe, expect, test } from "vitest";
import { parseTraceparent } from "./traceparent.ts";
import { createTracer } from "./tracer.ts";

function recording(traceRatio: number) {
  const exporter = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({ sampler: new AlwaysOnSampler(), spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { tracer: createTracer(provider.getTracer("test"), traceRatio), spans: () => exporter.getFinishedSpans() };
}

const sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

describe("startSpan", () => {
  test("a caller's unsampled traceparent is passed on untouched and nothing is recorded", () => {
    const { tracer, spans } = recording(1);
    const span = tracer.startSpan("authorize", { parent: unsampled });
    span.end();
    expect(span.traceparent).toBe(unsampled);
    expect(span.isRecording).toBe(false);
    expect(spans()).toHaveLength(0);
  });

  test("a sampled caller gets a child span", () => {
    const { tracer, spans } = recording(0);
    const span = tracer.startSpan("authorize", { parent: sampled, kind: "server" });
    span.end();
    expect(parseTraceparent(span.traceparent)).toMatchObject({ traceId: "0af7651916cd43dd8448eb211c80319c", isSampled: true });
    expect(span.traceparent).not.toBe(sampled);
    expect(spans()[0]?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
  });

  test("a new trace is sampled by ratio, and says so in its flag", () => {
    const none = recording(0).tracer.startSpan("x");
    expect(parseTraceparent(none.traceparent)?.isSampled).toBe(false);
    const all = recording(1).tracer.startSpan("x");
    expect(parseTraceparent(all.traceparent)?.isSampled).toBe(true);
  });

  test("a malformed parent begins a new trace", () => {
    const span = recording(1).tracer.startSpan("x", { parent: "nonsense" });
    expect(parseTraceparent(span.traceparent)).toBeDefined();
  });

  test("without an exporter a sampled caller's traceparent is passed on", () => {
    const span = createTracer(undefined, 1).startSpan("x", { parent: sampled });
    expect(span.traceparent).toBe(sampled);
    expect(parseTraceparent(createTracer(undefined, 1).startSpan("x").traceparent)?.isSampled).toBe(false);
  });

  test("the outcome and late attributes are recorded once, and card numbers never", () => {
    const { tracer, spans } = recording(1);
    const span = tracer.startSpan("x", { attributes: { note: "4242424242424242" } });
    span.end("fault", { attempts: 2 });
    span.end("ok");
    expect(spans()).toHaveLength(1);
    expect(spans()[0]?.attributes).toEqual({ note: "[masked number]", attempts: 2, "florin.outcome": "fault" });
    expect(spans()[0]?.status.code).toBe(2);
  });
});

describe("withSpan", () => {
  test("ends ok when the work resolves and fault when it rejects", async () => {
    const { tracer, spans } = recording(1);
    expect(await tracer.withSpan("good", {}, async () => 5)).toBe(5);
    await expect(tracer.withSpan("bad", {}, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(spans().map((span) => span.attributes["florin.outcome"])).toEqual(["ok", "fault"]);
  });
});
