/** The switch process: takes commands from any edge, keeps nothing that a restart loses. Composition only. */
import { hostname } from "node:os";
import { ConnectorService } from "@florin/gen/connectors/v1/connectors";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { createJetStreamBus } from "@florin/runtime/bus";
import { forgetSecrets, loadConfig } from "@florin/runtime/config";
import { type Part, runProcess, startAdminServer } from "@florin/runtime/lifecycle";
import { endPostgres, type Sql } from "@florin/runtime/postgres";
import { createRandomPool } from "@florin/runtime/random";
import { connectRedis } from "@florin/runtime/redis";
import { connectFramed, startRpcServer } from "@florin/runtime/rpc";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { systemTiming } from "@florin/runtime/timing";
import { watchTls } from "@florin/runtime/tls";
import { builtInOf } from "./app/built-in-settings.ts";
import { createCrashPoints } from "./app/crash-point.ts";
import { createFraudScreen } from "./app/fraud/screen.ts";
import { liveLimits } from "./app/live-limits.ts";
import type { Parts } from "./app/parts.ts";
import { createPaymentQueues } from "./app/payment-queues.ts";
import { createRouter } from "./app/routing/router.ts";
import { createSettingsDesk } from "./app/settings-desk.ts";
import { createSightings } from "./app/sightings.ts";
import { createConnectorGateway } from "./clients/connector-gateway.ts";
import { createConnectorRegistry } from "./clients/connector-registry.ts";
import { createLinkClient } from "./clients/link-client.ts";
import { createProcessorCircuits } from "./clients/processor-circuits.ts";
import { followNews } from "./clients/processor-news.ts";
import { createRetryBudgets } from "./clients/retry-budgets.ts";
import { createSecretTeller } from "./clients/secret-teller.ts";
import { createTokenDirectory } from "./clients/token-directory.ts";
import { switchConfig } from "./config.ts";
import { listsAndVelocity } from "./domain/fraud/index.ts";
import { createAuthorizationRates } from "./domain/routing/index.ts";
import { createBulkheads } from "./rpc/bulkheads.ts";
import { createEdgeSettingsService } from "./rpc/edge-settings-service.ts";
import { createEventLogService } from "./rpc/event-log-service.ts";
import { createPaymentService } from "./rpc/payment-service.ts";
import { callerPolicy } from "./rpc/policy.ts";
import { createRecoveryService } from "./rpc/recovery-service.ts";
import { createSettingsService } from "./rpc/settings-service.ts";
import { createTokenService } from "./rpc/token-service.ts";
import { createCardDeclines } from "./store/card-declines.ts";
import { createClaims } from "./store/claims.ts";
import { startBlockList } from "./store/fraud-blocks.ts";
import { createLogReader } from "./store/log-reader.ts";
import { createLogTail } from "./store/log-tail.ts";
import { createLogWriter } from "./store/log-writer.ts";
import { createOpenOperations } from "./store/open-operations.ts";
import { createPaymentLists } from "./store/payment-lists.ts";
import { openPools } from "./store/pools.ts";
import { createSettingsReplicas } from "./store/settings-replicas.ts";
import { createSettingsVersions } from "./store/settings-versions.ts";
import { createWorkerCheckpoints } from "./store/worker-checkpoints.ts";
import { startLiveSettings } from "./workers/live-settings.ts";
import { startWorkers } from "./workers/start-workers.ts";

const drainTimeoutMs = 28_000;
const peersWaitMs = 5_000;
const hourMs = 3_600_000;

const config = loadConfig(switchConfig, process.env);
forgetSecrets(switchConfig, process.env);
const logger = createLogger({ service: "switch", level: config.logLevel });

runProcess({
  name: "switch",
  logger,
  async start({ isDraining }) {
    const { metrics, tracer, ...telemetry } = startTelemetry({ service: "switch", otlpUrl: config.otlpUrl, traceRatio: config.traceRatio });
    const { tls } = watchTls({ directoryOrOff: config.tlsDir, name: "switch", logger });
    const pools = openPools(config);
    const redis =
      config.redisUrl === ""
        ? undefined
        : connectRedis({ url: config.redisUrl, name: "florin-switch", commandTimeoutMs: config.redisTimeoutMs });
    const vault = connectFramed(VaultService, { address: config.vaultAddress, tls, peerName: "vault", metrics, logger });
    const connectors = connectFramed(ConnectorService, { address: config.connectorsAddress, tls, peerName: "connectors", metrics, logger });
    const bus = config.natsUrl === "" ? undefined : await createJetStreamBus({ url: config.natsUrl, logger, metrics });
    const log = createLogWriter({ sql: pools.log, metrics });
    const tail = createLogTail(pools.background);
    const blockList = startBlockList({ sql: pools.background, logger });
    const now = () => Date.now();
    const settingsOn = (sql: Sql) => ({
      versions: createSettingsVersions(sql),
      replicas: createSettingsReplicas(sql),
      connectors: createConnectorRegistry(connectors),
      builtIn: builtInOf(config),
    });
    const replica = `${hostname()}/${process.pid}`;
    const secrets = createSecretTeller({ connectors, logger });
    const settings = await startLiveSettings({
      ...settingsOn(pools.settings),
      secrets,
      replica,
      metrics,
      logger,
      now,
      timing: systemTiming,
    });
    const limits = liveLimits(settings.current);
    const circuits = createProcessorCircuits({ settings: limits.circuits, now: systemTiming.monotonicMs, metrics });
    const retries = createRetryBudgets({ settings: limits.retries, now: systemTiming.monotonicMs, metrics });
    const parts: Parts = {
      log,
      reader: createLogReader(pools.operations),
      claims: createClaims({ redis, metrics, now }),
      vault: createTokenDirectory({ vault, now }),
      connectors: createConnectorGateway({ client: connectors, tracer, circuits, retries, now: Date.now }),
      fraud: createFraudScreen({
        tiers: [listsAndVelocity({ blockList: () => blockList.current(), limits: () => settings.current().limits.velocity })],
      }),
      queues: createPaymentQueues(),
      questions: new Map(),
      sightings: createSightings({ timing: systemTiming }),
      metrics,
      now,
      random: createRandomPool(),
      timing: systemTiming,
      crashAt: createCrashPoints(config.crashPoint),
      authorizationLifetimeMs: config.authorizationHours * hourMs,
      router: createRouter({
        settings: settings.current,
        health: (processor) => circuits.health(processor, "authorize"),
        passedBy: circuits.passedBy,
        rates: { test: createAuthorizationRates(), live: createAuthorizationRates() },
        now,
      }),
      declines: createCardDeclines(pools.operations),
      settings: settings.current,
    };
    const links = createLinkClient(connectors);
    const news = followNews({ client: connectors, timing: systemTiming, logger });
    const workers = await startWorkers({ parts, sql: pools.background, databaseUrl: config.databaseUrl, tail, bus, links, news, logger });
    await Promise.all([vault.untilConnected(peersWaitMs), connectors.untilConnected(peersWaitMs)]);
    const bulkheads = createBulkheads({ settings: limits.calls, metrics });
    const rpc = await startRpcServer({
      host: config.listenHost,
      port: config.grpcPort,
      tls,
      services: [
        createPaymentService({ parts, lists: createPaymentLists(pools.pages), bulkheads, tracer }),
        createTokenService(parts, bulkheads),
        createRecoveryService({
          reader: parts.reader,
          tail,
          operations: createOpenOperations(pools.background),
          checkpoints: createWorkerCheckpoints(pools.background),
          now,
        }),
        createEventLogService({ tail, logger }),
        createEdgeSettingsService(parts),
        createSettingsService(createSettingsDesk(settingsOn(pools.background))),
      ],
      policy: callerPolicy,
      allowInsecure: config.environment !== "production",
      metrics,
      logger,
      readiness: () => !isDraining(),
    });
    const admin = await startAdminServer({
      host: config.listenHost,
      port: config.adminPort,
      telemetry,
      live: () => true,
      ready: async () => {
        const database = await pools.operations`SELECT 1`.then(
          () => "up" as const,
          () => "down" as const,
        );
        const peers = {
          vault: vault.isConnected() ? ("up" as const) : ("down" as const),
          connectors: connectors.isConnected() ? ("up" as const) : ("down" as const),
        };
        const cache = parts.claims.isAvailable ? ("up" as const) : ("degraded" as const);
        const broker = bus === undefined || bus.isConnected() ? ("up" as const) : ("degraded" as const);
        return {
          ready: database === "up" && peers.vault === "up" && peers.connectors === "up" && !isDraining(),
          parts: { database, ...peers, cache, broker },
        };
      },
    });
    logger.info(
      {
        grpc_port: rpc.port,
        admin_port: admin.port,
        cache: redis === undefined ? "none" : "redis",
        broker: bus === undefined ? "none" : "nats",
      },
      "switch listens",
    );
    const drain: Part[] = [
      { name: "rpc", stop: () => rpc.drain(drainTimeoutMs) },
      { name: "workers", stop: () => Promise.all([workers.stop(), news.stop()]) },
      { name: "log", stop: () => log.close() },
      { name: "settings", stop: () => settings.stop() },
      { name: "block_list", stop: () => blockList.stop() },
      { name: "peers", stop: () => Promise.all([vault.close(), connectors.close()]) },
      { name: "broker", stop: () => bus?.close() },
      { name: "cache", stop: () => redis?.disconnect() },
      { name: "database", stop: () => Promise.all(Object.values(pools).map(endPostgres)) },
      { name: "admin", stop: () => admin.close() },
      { name: "telemetry", stop: () => telemetry.shutdown() },
    ];
    return { drain };
  },
});
