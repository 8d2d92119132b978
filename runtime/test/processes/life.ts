/** A process with parts that tell when they stop. MODE says how it behaves; lines on stdout are the logger's. */
import { setTimeout as sleep } from "node:timers/promises";
import { runProcess, startAdminServer } from "../../src/lifecycle/index.ts";
import { createLogger, startTelemetry } from "../../src/telemetry/index.ts";

const mode = process.argv[2] ?? "";
const logger = createLogger({ service: "life", level: "debug" });

runProcess({
  name: "life",
  logger,
  drainTimeoutMs: mode === "hangs" ? 300 : 5_000,
  start: async ({ isDraining }) => {
    if (mode === "cannot-start") throw new Error("no database");
    if (mode === "slow-start") {
      logger.info("starting slowly");
      await sleep(500);
    }
    if (mode === "bug") setTimeout(() => void Promise.reject(new Error("a bug")), 50);
    const telemetry = startTelemetry({ service: "life", otlpUrl: "", traceRatio: 0 });
    const admin = await startAdminServer({
      host: "127.0.0.1",
      port: 0,
      telemetry,
      live: () => true,
      ready: () => ({ ready: !isDraining(), parts: { database: "up", cache: "degraded" } }),
    });
    logger.info({ admin_port: admin.port }, "listening");
    return {
      drain: [
        { name: "rpc", stop: () => sleep(mode === "hangs" || mode === "slow-drain" ? 2_000 : 50) },
        { name: "broken", stop: mode === "broken-part" ? () => Promise.reject(new Error("cannot stop")) : () => {} },
        { name: "database", stop: () => sleep(10) },
        { name: "admin", stop: () => admin.close() },
        { name: "telemetry", stop: () => telemetry.shutdown() },
      ],
    };
  },
});
