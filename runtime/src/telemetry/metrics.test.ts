import { describe, expect, test } from "vitest";
import { type MetricEntry, metricTable, metricTableMarkdown } from "./metric-table.ts";
import { startTelemetry } from "./telemetry.ts";

const start = () => startTelemetry({ service: "switch", otlpUrl: "", traceRatio: 0 });

/** Value of one time series in Prometheus text. */
async function scraped(telemetry: ReturnType<typeof start>, series: string): Promise<number | undefined> {
  const line = (await telemetry.scrape()).split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

describe("metrics", () => {
  test("a counter adds up by labels", async () => {
    const telemetry = start();
    telemetry.metrics.count("switch_claims_total", { result: "new" });
    telemetry.metrics.count("switch_claims_total", { result: "new" }, 2);
    telemetry.metrics.counter("switch_claims_total", { result: "done" }).add();
    expect(await scraped(telemetry, 'switch_claims_total{result="new"}')).toBe(3);
    expect(await scraped(telemetry, 'switch_claims_total{result="done"}')).toBe(1);
    await telemetry.shutdown();
  });

  test("counters of the process itself are there at zero before their first event, where their labels are closed lists", async () => {
    const telemetry = start();
    expect(await scraped(telemetry, "switch_follow_up_faults_total")).toBe(0);
    expect(await scraped(telemetry, 'switch_claims_total{result="new"}')).toBe(0);
    const text = await telemetry.scrape();
    expect(text).not.toContain("switch_circuit_changes_total{");
    expect(text).not.toMatch(/^(?:edge|vault|ledger|connectors|simulator)_/m);
    await telemetry.shutdown();
  });

  test("a histogram counts a value on its bound into that bucket, and everything into +Inf", async () => {
    const telemetry = start();
    const batch = telemetry.metrics.histogram("switch_append_batch_size");
    for (const value of [1, 2, 2.5, 5_000]) batch.record(value);
    expect(await scraped(telemetry, 'switch_append_batch_size_bucket{le="1"}')).toBe(1);
    expect(await scraped(telemetry, 'switch_append_batch_size_bucket{le="2"}')).toBe(2);
    expect(await scraped(telemetry, 'switch_append_batch_size_bucket{le="1024"}')).toBe(3);
    expect(await scraped(telemetry, 'switch_append_batch_size_bucket{le="+Inf"}')).toBe(4);
    expect(await scraped(telemetry, "switch_append_batch_size_count")).toBe(4);
    expect(await scraped(telemetry, "switch_append_batch_size_sum")).toBe(5_005.5);
    await telemetry.shutdown();
  });

  test("a gauge is read at the scrape, and a broken one costs only itself", async () => {
    const telemetry = start();
    let depth = 1;
    telemetry.metrics.gauge("batch_queue_depth", () => depth, { batch: "append" });
    telemetry.metrics.gauge("switch_relay_lag_events", () => {
      throw new Error("no");
    });
    depth = 7;
    expect(await scraped(telemetry, 'batch_queue_depth{batch="append"}')).toBe(7);
    expect(await scraped(telemetry, "switch_relay_lag_events")).toBeNaN();
    await telemetry.shutdown();
  });

  test("values beyond a label's bound are counted as other", async () => {
    const telemetry = start();
    for (let index = 0; index < 100; index++)
      telemetry.metrics.count("edge_requests_total", { route: `/made-up/${index}`, status_class: "2xx" });
    const lines = (await telemetry.scrape()).split("\n").filter((line) => line.startsWith("edge_requests_total{"));
    expect(lines).toHaveLength(41);
    expect(await scraped(telemetry, 'edge_requests_total{route="other",status_class="2xx"}')).toBe(60);
    await telemetry.shutdown();
  });

  test("a process tells its memory, CPU and event loop lag, and its name", async () => {
    const telemetry = start();
    expect(await scraped(telemetry, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(await scraped(telemetry, "process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(await scraped(telemetry, "process_event_loop_lag_seconds")).toBeGreaterThanOrEqual(0);
    expect(await telemetry.scrape()).toContain('target_info{service_name="switch"} 1');
    await telemetry.shutdown();
  });

  test("instruments of libraries are scraped too", async () => {
    const telemetry = start();
    telemetry.meterProvider.getMeter("library").createCounter("library_calls_total").add(3);
    expect(await scraped(telemetry, "library_calls_total")).toBe(3);
    await telemetry.shutdown();
  });
});

describe("the metric table", () => {
  const entries: readonly (readonly [string, MetricEntry])[] = Object.entries(metricTable);

  test("names end in their unit", () => {
    for (const [name, { unit, kind }] of entries) {
      if (unit === "s") expect(name).toMatch(/_seconds(_total)?$/);
      if (unit === "By") expect(name).toMatch(/_bytes$/);
      if (kind === "counter") expect(name).toMatch(/_total$/);
    }
  });

  test("histograms have rising buckets, and only they have any", () => {
    for (const [, { kind, buckets }] of entries) {
      expect(kind === "histogram").toBe(buckets !== undefined);
      expect([...(buckets ?? [])].sort((a, b) => a - b)).toEqual([...(buckets ?? [])]);
    }
  });

  test("every metric is in the documentation's table", () => {
    const markdown = metricTableMarkdown();
    for (const [name] of entries) expect(markdown).toContain(`| \`${name}\` |`);
  });
});
