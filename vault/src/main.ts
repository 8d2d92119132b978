/** The vault process: takes cards on its own origin, tells other processes what a token is, opens cards for connectors. */
import { randomUUID } from "node:crypto";
import { forgetSecrets, loadConfig } from "@florin/runtime/config";
import { type Part, runProcess, startAdminServer } from "@florin/runtime/lifecycle";
import { connectPostgres, endPostgres } from "@florin/runtime/postgres";
import { startRpcServer } from "@florin/runtime/rpc";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { watchTls } from "@florin/runtime/tls";
import { createAccessLog } from "./app/access-log.ts";
import { createAuthenticator } from "./app/authenticate.ts";
import { createCardDesk } from "./app/card-desk.ts";
import { createCardDirectory } from "./app/card-directory.ts";
import { createTokenMaker } from "./app/create-token.ts";
import { loadDataKeys } from "./app/data-keys.ts";
import { createTokenRemover } from "./app/delete-token.ts";
import { loadEnvelopeKeys } from "./app/envelope-keys.ts";
import { createCardExpiry } from "./app/expire-cards.ts";
import { createEnvelopeOpener } from "./app/open-envelope.ts";
import { createSecurityCodes } from "./app/security-codes.ts";
import { createTokenLimit } from "./app/token-limit.ts";
import { vaultConfig } from "./config.ts";
import { openHsm } from "./hsm/open-hsm.ts";
import { createTracedHsm } from "./hsm/traced.ts";
import { buildApp } from "./rest/app.ts";
import { loadFieldFiles } from "./rest/field-files.ts";
import { callerPolicy } from "./rpc/policy.ts";
import { createVaultService } from "./rpc/vault-service.ts";
import { createAccessStore } from "./store/access-log.ts";
import { createCardStore } from "./store/cards.ts";
import { createDataKeyStore } from "./store/data-keys.ts";
import { createEnvelopeStore } from "./store/envelopes.ts";
import { createExpiredCardStore } from "./store/expired-cards.ts";
import { createPublishableKeyStore } from "./store/publishable-keys.ts";
import { deleteExpiredCards } from "./workers/delete-expired-cards.ts";
import { forgetDeletedCards } from "./workers/forget-deleted-cards.ts";
import { forgetEnvelopes } from "./workers/forget-envelopes.ts";
import { keepPartitionsAhead } from "./workers/make-partitions.ts";
import { keepKeysFresh } from "./workers/refresh-keys.ts";

const rpcDrainTimeoutMs = 10_000;
const accessLogDrainTimeoutMs = 10_000;
const hourMs = 3_600_000;
const minuteMs = 60_000;

const config = loadConfig(vaultConfig, process.env);
forgetSecrets(vaultConfig, process.env);
const logger = createLogger({ service: "vault", level: config.logLevel });
const monotonicNow = () => performance.now();

runProcess({
  name: "vault",
  logger,
  async start({ isDraining }) {
    const module = await openHsm(config);
    const telemetry = startTelemetry({ service: "vault", otlpUrl: config.otlpUrl, traceRatio: config.traceRatio });
    const { metrics, tracer } = telemetry;
    const hsm = createTracedHsm(module, { tracer, metrics });
    const sql = connectPostgres({ url: config.databaseUrl, name: "florin-vault", connectionsMax: config.databaseConnectionsMax });
    const cards = createCardStore(sql);
    const accesses = createAccessStore(sql);
    const epochLifeMs = config.epochLifeHours * hourMs;
    const dataKeys = await loadDataKeys({ hsm, store: createDataKeyStore(sql), epochLifeMs, now: monotonicNow });
    const freshKeys = keepKeysFresh({ dataKeys, periodMs: config.keyRefreshMs, logger });
    const partitions = await keepPartitionsAhead({ store: accesses, logger });
    const codes = createSecurityCodes({ now: monotonicNow });
    const accessLog = createAccessLog({
      store: accesses,
      writerId: randomUUID(),
      logger,
      paceMs: config.accessRecords === "committed" ? 0 : config.accessPaceMs,
    });
    const rules = { singleUseLifeMs: config.singleUseMinutes * minuteMs, graceDays: config.cardGraceDays };
    const directory = createCardDirectory({ store: cards, cardsMax: config.cardsCachedMax, rules });
    const isRecordAwaited = config.accessRecords === "committed";
    const ofCards = { directory, store: cards, codes, accessLog, rules, metrics, now: Date.now };
    const desk = createCardDesk({ ...ofCards, dataKeys, isRecordAwaited });
    const remover = createTokenRemover(ofCards);
    const tokens = createTokenMaker({ dataKeys, codes, store: cards, rules, metrics, now: Date.now });
    const expired = createExpiredCardStore(sql);
    const forgettingDeleted = forgetDeletedCards({ store: expired, directory, codes, logger, now: monotonicNow });
    const deletingExpired = deleteExpiredCards({
      expiry: createCardExpiry({ ...ofCards, expired }),
      periodMs: config.expiryPeriodMs,
      logger,
    });
    const envelopeStore = createEnvelopeStore(sql);
    const envelopeLifeMs = config.envelopeKeyLifeHours * hourMs;
    const envelopeKeys = await loadEnvelopeKeys({ hsm, store: envelopeStore, lifeMs: envelopeLifeMs, logger, now: monotonicNow });
    const envelopes = createEnvelopeOpener({ keys: envelopeKeys, store: envelopeStore, threads: config.envelopeThreads, now: Date.now });
    const forgetting = forgetEnvelopes({ store: envelopeStore, now: Date.now, logger });
    const authenticator = createAuthenticator({
      store: createPublishableKeyStore(sql),
      pepper: config.apiKeyPepper.expose(),
      foundTtlMs: config.keyFoundTtlMs,
      unknownTtlMs: config.keyUnknownTtlMs,
    });
    const tokenLimit = createTokenLimit({
      addressRate: { burst: config.addressTokensBurst, perSecond: config.addressTokensPerMinute / 60 },
      keyRate: { burst: config.keyTokensBurst, perSecond: config.keyTokensPerMinute / 60 },
      now: monotonicNow,
      metrics,
    });
    metrics.gauge("batch_queue_depth", () => accessLog.depth, { batch: "access-log" });

    const isReady = () => accessLog.isHealthy() && !isDraining();
    const rpc = await startRpcServer({
      host: config.listenHost,
      port: config.grpcPort,
      tls: watchTls({ directoryOrOff: config.tlsDir, name: "vault", logger }).tls,
      services: [createVaultService({ desk, remover, tracer })],
      policy: callerPolicy,
      allowInsecure: config.environment !== "production",
      metrics,
      logger,
      readiness: isReady,
    });
    const fieldFiles = loadFieldFiles();
    const { trustedProxies } = config;
    const app = buildApp({ authenticator, tokenLimit, tokens, envelopes, envelopeKeys, fieldFiles, tracer, trustedProxies, logger });
    app.fastify.server.maxConnections = config.connectionsMax;
    await app.fastify.listen({ host: config.listenHost, port: config.httpPort });
    const admin = await startAdminServer({
      host: config.listenHost,
      port: config.adminPort,
      telemetry,
      live: () => true,
      ready: async () => {
        // Without its database the vault opens no card: no access record could be written.
        const database = await sql`SELECT 1`.then(
          () => "up" as const,
          () => "down" as const,
        );
        const access_log = accessLog.isHealthy() ? ("up" as const) : ("down" as const);
        return { ready: database === "up" && isReady(), parts: { database, access_log } };
      },
    });
    logger.info({ addresses: app.fastify.addresses(), grpc_port: rpc.port, admin_port: admin.port, kek_id: hsm.kekId }, "vault listens");
    const drain: Part[] = [
      { name: "http", stop: () => app.drain(config.drainGraceMs) },
      { name: "rpc", stop: () => rpc.drain(rpcDrainTimeoutMs) },
      { name: "envelopes", stop: () => envelopes.close() },
      { name: "tokens", stop: () => tokens.close() },
      { name: "expired cards", stop: () => deletingExpired.stop() },
      { name: "deleted cards", stop: () => forgettingDeleted.stop() },
      { name: "claims", stop: () => desk.close() },
      { name: "directory", stop: () => directory.close() },
      { name: "access log", stop: () => accessLog.close(accessLogDrainTimeoutMs) },
      { name: "fresh keys", stop: () => freshKeys.stop() },
      { name: "envelope keys", stop: () => envelopeKeys.stop() },
      { name: "used envelopes", stop: () => forgetting.stop() },
      { name: "partitions", stop: () => partitions.stop() },
      { name: "codes", stop: () => codes.close() },
      { name: "database", stop: () => endPostgres(sql) },
      { name: "hsm", stop: () => hsm.close() },
      { name: "admin", stop: () => admin.close() },
      { name: "telemetry", stop: () => telemetry.shutdown() },
    ];
    return { drain };
  },
});
