import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { startTelemetry } from "../src/telemetry/index.ts";
import { untilTrue } from "../src/testing/index.ts";

test("sampled spans reach a collector, the last ones at shutdown; unsampled ones never", async () => {
  const bodies: Buffer[] = [];
  const collector = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      bodies.push(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
      response.end();
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const address = collector.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const telemetry = startTelemetry({ service: "switch", otlpUrl: `http://127.0.0.1:${port}/v1/traces`, traceRatio: 1 });
  telemetry.tracer.startSpan("authorize payment").end();
  telemetry.tracer.startSpan("never seen", { parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00" }).end();
  await telemetry.shutdown();
  await telemetry.shutdown();
  await untilTrue(() => bodies.length > 0, 5_000);
  const sent = Buffer.concat(bodies).toString("latin1");
  expect(sent).toContain("authorize payment");
  expect(sent).toContain("switch");
  expect(sent).not.toContain("never seen");
  collector.closeAllConnections();
  collector.close();
});

test("a collector that is away costs nothing but the spans", async () => {
  const telemetry = startTelemetry({ service: "switch", otlpUrl: "http://127.0.0.1:9/v1/traces", traceRatio: 1 });
  telemetry.tracer.startSpan("x").end();
  const startedAtMs = performance.now();
  await telemetry.shutdown();
  expect(performance.now() - startedAtMs).toBeLessThan(12_000);
});
