/** The ledger process: follows the payment log, keeps the books, answers reads. Nothing that a payment waits for. */
import { EventLogService } from "@florin/gen/events/v1/events";
import { createCatchingUpSource, createDirectSource, createJetStreamBus, type EventLogClient, type EventSource } from "@florin/runtime/bus";
import { forgetSecrets, loadConfig } from "@florin/runtime/config";
import { type Part, runProcess, startAdminServer } from "@florin/runtime/lifecycle";
import { connectPostgres, endPostgres } from "@florin/runtime/postgres";
import { connectUnary, startRpcServer } from "@florin/runtime/rpc";
import { createLogger, type Logger, type Metrics, startTelemetry } from "@florin/runtime/telemetry";
import { watchTls } from "@florin/runtime/tls";
import { createPoster } from "./app/post-batches.ts";
import { ledgerConfig } from "./config.ts";
import { createLedgerService } from "./rpc/ledger-service.ts";
import { callerPolicy } from "./rpc/policy.ts";
import { followLog } from "./workers/follow-log.ts";

const drainTimeoutMs = 10_000;

const config = loadConfig(ledgerConfig, process.env);
forgetSecrets(ledgerConfig, process.env);
const logger = createLogger({ service: "ledger", level: config.logLevel });

runProcess({
  name: "ledger",
  logger,
  async start({ isDraining }) {
    const telemetry = startTelemetry({ service: "ledger", otlpUrl: config.otlpUrl, traceRatio: config.traceRatio });
    const { tls } = watchTls({ directoryOrOff: config.tlsDir, name: "ledger", logger });
    const sql = connectPostgres({ url: config.databaseUrl, name: "florin-ledger", connectionsMax: config.databaseConnectionsMax });
    const leaderSession = connectPostgres({ url: config.databaseUrl, name: "florin-ledger-lead", connectionsMax: 1 });
    const eventLog = connectUnary(EventLogService, { address: config.switchAddress, tls, peerName: "switch", logger });
    const { source, stop: stopSource } = await openSource(config.natsUrl, { eventLog, logger, metrics: telemetry.metrics });
    const follower = followLog({
      source,
      sql,
      leaderSession,
      poster: createPoster(sql),
      logger,
      onPosted({ events }) {
        telemetry.metrics.count("ledger_posted_events_total", undefined, events);
        telemetry.metrics.record("ledger_batch_size", events);
      },
    });
    telemetry.metrics.gauge("ledger_position_lag_events", () => follower.lagPositions);
    const readiness = async () => {
      const database = await sql`SELECT 1`.then(
        () => "up" as const,
        () => "down" as const,
      );
      return {
        ready: database === "up" && !isDraining(),
        parts: { database, payment_log: follower.state === "failing" ? ("degraded" as const) : ("up" as const) },
      };
    };
    const rpc = await startRpcServer({
      host: config.listenHost,
      port: config.grpcPort,
      tls,
      services: [createLedgerService(sql)],
      policy: callerPolicy,
      allowInsecure: config.environment !== "production",
      metrics: telemetry.metrics,
      logger,
      readiness: () => !isDraining(),
    });
    const admin = await startAdminServer({
      host: config.listenHost,
      port: config.adminPort,
      telemetry,
      live: () => true,
      ready: readiness,
    });
    logger.info({ grpc_port: rpc.port, admin_port: admin.port }, "ledger listens");
    const drain: Part[] = [
      { name: "rpc", stop: () => rpc.drain(drainTimeoutMs) },
      { name: "follower", stop: () => follower.stop() },
      { name: "source", stop: stopSource },
      { name: "event_log", stop: () => eventLog.close() },
      { name: "database", stop: () => Promise.all([endPostgres(sql), endPostgres(leaderSession)]) },
      { name: "admin", stop: () => admin.close() },
      { name: "telemetry", stop: () => telemetry.shutdown() },
    ];
    return { drain };
  },
});

type SourceParts = { readonly eventLog: EventLogClient; readonly logger: Logger; readonly metrics: Metrics };

/** The broker, with the switch's log for what the broker has lost; without a broker the log alone. */
async function openSource(natsUrl: string, parts: SourceParts): Promise<{ source: EventSource; stop: () => Promise<void> }> {
  const { eventLog, logger, metrics } = parts;
  if (natsUrl === "") return { source: createDirectSource({ client: eventLog, logger, metrics }), stop: async () => {} };
  const jetstream = await createJetStreamBus({ url: natsUrl, logger, metrics });
  return { source: createCatchingUpSource({ jetstream, direct: { client: eventLog }, logger, metrics }), stop: () => jetstream.close() };
}
