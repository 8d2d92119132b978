/** The connectors process: the only way to a processor, and beside the vault the only place where a card number exists. */
import { randomUUID } from "node:crypto";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { forgetSecrets, loadConfig } from "@florin/runtime/config";
import { type Part, type PartState, runProcess, startAdminServer } from "@florin/runtime/lifecycle";
import { connectFramed, startRpcServer } from "@florin/runtime/rpc";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { systemTiming } from "@florin/runtime/timing";
import { watchTls } from "@florin/runtime/tls";
import { createLinkGrants } from "./app/link-grants.ts";
import { createOperations } from "./app/operations.ts";
import { createTotalsReport } from "./app/totals-report.ts";
import { createCardOpener } from "./clients/vault.ts";
import { connectorsConfig } from "./config.ts";
import { createRegistry } from "./registry.ts";
import { createConnectorService } from "./rpc/connector-service.ts";
import { callerPolicy } from "./rpc/policy.ts";
import { watchLinks } from "./workers/watch-links.ts";

/** Longer than the slowest processor we wait for in the sandbox; what is left then is answered as lost and recovered. */
const drainTimeoutMs = 20_000;

const config = loadConfig(connectorsConfig, process.env);
forgetSecrets(connectorsConfig, process.env);
const logger = createLogger({ service: "connectors", level: config.logLevel });

runProcess({
  name: "connectors",
  logger,
  async start({ isDraining }) {
    const telemetry = startTelemetry({ service: "connectors", otlpUrl: config.otlpUrl, traceRatio: config.traceRatio });
    const { tls } = watchTls({ directoryOrOff: config.tlsDir, name: "connectors", logger });
    const vault = connectFramed(VaultService, { address: config.vaultAddress, tls, peerName: "vault", metrics: telemetry.metrics, logger });
    const registry = createRegistry(config, {
      onLinkNotice: (connector, notice) => telemetry.metrics.count("connectors_link_notices_total", { connector, notice }),
      onTotals: createTotalsReport({ metrics: telemetry.metrics, logger }),
    });
    const operations = createOperations({
      registry,
      openCard: createCardOpener({ client: vault, timeoutMs: config.vaultTimeoutMs, logger }),
      telemetry,
      operationTimeoutMsMax: config.operationTimeoutMsMax,
    });
    const grants = createLinkGrants({
      registry,
      processId: randomUUID(),
      monotonicMs: systemTiming.monotonicMs,
      metrics: telemetry.metrics,
      logger,
    });
    const links = watchLinks(registry, logger);
    const isReady = () => vault.isConnected() && !isDraining();
    const rpc = await startRpcServer({
      host: config.listenHost,
      port: config.grpcPort,
      tls,
      services: [createConnectorService(operations, grants)],
      policy: callerPolicy,
      allowInsecure: config.environment !== "production",
      metrics: telemetry.metrics,
      logger,
      readiness: isReady,
    });
    const admin = await startAdminServer({
      host: config.listenHost,
      port: config.adminPort,
      telemetry,
      live: () => true,
      ready: () => {
        // A processor that is away is shown; captures at the others and queries go on.
        const processors = [...registry.keys()].map((name) => [name, links.isUp(name) ? "up" : "degraded"] as const);
        const vaultState: PartState = vault.isConnected() ? "up" : "down";
        return { ready: isReady(), parts: { vault: vaultState, ...Object.fromEntries(processors) } };
      },
    });
    logger.info({ grpc_port: rpc.port, admin_port: admin.port, connectors: [...registry.keys()] }, "connectors listens");
    const drain: Part[] = [
      { name: "rpc", stop: () => rpc.drain(drainTimeoutMs) },
      { name: "links", stop: () => links.stop() },
      { name: "processors", stop: () => Promise.all([...registry.values()].map((connector) => connector.close())) },
      { name: "vault", stop: () => vault.close() },
      { name: "admin", stop: () => admin.close() },
      { name: "telemetry", stop: () => telemetry.shutdown() },
    ];
    return { drain };
  },
});
