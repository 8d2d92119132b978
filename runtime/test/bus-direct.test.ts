import { EventLogService } from "@florin/gen/events/v1/events";
import { describe } from "vitest";
import { createDirectSource } from "../src/bus/index.ts";
import { connectUnary, implement, startRpcServer } from "../src/rpc/index.ts";
import { createLogger } from "../src/telemetry/index.ts";
import { freePort } from "../src/testing/index.ts";
import { eventSourceConformance } from "./bus-conformance.ts";
import { MemoryEventLog } from "./memory-event-log.ts";

const logger = createLogger({ service: "test", level: process.env["FLORIN_LOG_LEVEL"] ?? "silent" });

describe("the direct source", () => {
  eventSourceConformance(async () => {
    const log = new MemoryEventLog();
    return {
      source: createDirectSource({ client: log.client, logger }),
      append: async (events) => log.append(events),
      repeat: async () => log.cut(),
      cut: async () => log.cut(),
      close: async () => {},
    };
  });
});

describe("the direct source over gRPC", () => {
  eventSourceConformance(async () => {
    const log = new MemoryEventLog();
    const port = await freePort();
    const service = implement(EventLogService, {
      subscribe: (request, context) => log.subscribe(request.afterPosition, context.signal),
    });
    const start = () =>
      startRpcServer({ host: "127.0.0.1", port, tls: { kind: "off" }, services: [service], policy: {}, allowInsecure: true, logger });
    let server = await start();
    const client = connectUnary(EventLogService, { address: `127.0.0.1:${port}`, tls: { kind: "off" }, logger });
    return {
      source: createDirectSource({ client, logger }),
      append: async (events) => log.append(events),
      repeat: async () => log.cut(),
      cut: async () => {
        await server.drain(100);
        server = await start();
      },
      close: async () => {
        await client.close();
        await server.drain(100);
      },
    };
  });
});
