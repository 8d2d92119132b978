/** The connectors process: the only way to a processor, and beside the vault the only place where a card number exists. */
import { randomUUID } from "node:crypto";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { forgetSecrets, loadConfig } from "@florin/runtime/config";
import { type Part, type PartState, runProcess, startAdminServer } from "@florin/runtime/lifecycle";
import { connectFramed, startRpcServer } from "@florin/runtime/rpc";
import { createLogger, startTelemetry, type Telemetry } from "@florin/runtime/telemetry";
import { systemTiming } from "@florin/runtime/timing";
import { watchTls } from "@florin/runtime/tls";
import { createLinkGrants } from "./app/link-grants.ts";
import { createOperations } from "./app/operations.ts";
import { createSecretDesk } from "./app/secret-desk.ts";
import { createSecretSource, takeSecretVariables } from "./app/secret-source.ts";
import { createTotalsReport } from "./app/totals-report.ts";
import { createNews, type News } from "./callbacks/news.ts";
import { type Receiver, startReceiver } from "./callbacks/receiver.ts";
import { createCardOpener } from "./clients/vault.ts";
import { type ConnectorsConfig, connectorsConfig } from "./config.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { createConnectorService } from "./rpc/connector-service.ts";
import { callerPolicy } from "./rpc/policy.ts";
import { watchLinks } from "./workers/watch-links.ts";

/** Longer than the slowest processor we wait for in the sandbox; what is left then is answered as lost and recovered. */
const drainTimeoutMs = 20_000;

/** Callbacks that nobody waited for; a switch that comes later is told of the latest. */
const newsRememberedMax = 10_000;
/** At a thousand a second the last minute and a half. */
const eventsRememberedMax = 100_000;

const config = loadConfig(connectorsConfig, process.env);
forgetSecrets(connectorsConfig, process.env);
const secretVariables = takeSecretVariables(process.env);
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
    const news = createNews(newsRememberedMax);
    const callbacks = await receiveCallbacks(config, { registry, news, telemetry });
    const secrets = createSecretDesk({
      registry,
      read: createSecretSource({ folder: config.secretsDir, variables: secretVariables }),
      metrics: telemetry.metrics,
      logger,
    });
    const links = watchLinks(registry, logger);
    const isReady = () => vault.isConnected() && !isDraining();
    const rpc = await startRpcServer({
      host: config.listenHost,
      port: config.grpcPort,
      tls,
      services: [createConnectorService({ operations, grants, news, secrets })],
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
        // A key that cannot be read is shown too: its connector works with the one it has.
        const keys = secrets.unresolved === 0 ? {} : { secrets: "degraded" as const };
        return { ready: isReady(), parts: { vault: vaultState, ...Object.fromEntries(processors), ...keys } };
      },
    });
    logger.info(
      { grpc_port: rpc.port, admin_port: admin.port, callback_port: callbacks?.port, connectors: [...registry.keys()] },
      "connectors listens",
    );
    const drain: Part[] = [
      { name: "rpc", stop: () => rpc.drain(drainTimeoutMs) },
      { name: "links", stop: () => links.stop() },
      { name: "processors", stop: () => Promise.all([...registry.values()].map((connector) => connector.close())) },
      // Until here a call may wait for its callback.
      { name: "callbacks", stop: () => callbacks?.close() },
      { name: "vault", stop: () => vault.close() },
      { name: "admin", stop: () => admin.close() },
      { name: "telemetry", stop: () => telemetry.shutdown() },
    ];
    return { drain };
  },
});

/** Undefined where no connector takes callbacks: then no port is open for them. */
async function receiveCallbacks(
  settings: ConnectorsConfig,
  o: { readonly registry: Registry; readonly news: News; readonly telemetry: Pick<Telemetry, "metrics"> },
): Promise<Receiver | undefined> {
  if (![...o.registry.values()].some((connector) => connector.readCallback !== undefined)) return undefined;
  return startReceiver({
    host: settings.callbackHost,
    port: settings.callbackPort,
    connectors: o.registry,
    bodySizeBytesMax: settings.callbackBodyBytesMax,
    requestTimeoutMs: settings.callbackTimeoutMs,
    refusedPerSecondMax: settings.callbackRefusedPerSecondMax,
    eventsRememberedMax,
    onUnawaited: (item) => o.news.publish(item),
    onResult: (connector, result) => o.telemetry.metrics.count("connectors_callbacks_total", { connector, result }),
    onFault: (err) => logger.error({ err }, "a callback could not be handled"),
  });
}
