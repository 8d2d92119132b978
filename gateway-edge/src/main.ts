/** The edge process: REST and Connect for merchants on one port, health and metrics on another. Holds nothing that a restart loses. */
import { readFileSync } from "node:fs";
import { forgetSecrets, loadConfig } from "@florin/runtime/config";
import { type Part, runProcess, startAdminServer } from "@florin/runtime/lifecycle";
import { connectPostgres, endPostgres } from "@florin/runtime/postgres";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { systemTiming } from "@florin/runtime/timing";
import { watchTls } from "@florin/runtime/tls";
import { createAsking } from "./app/asking.ts";
import { createAuthenticator } from "./app/authenticate.ts";
import { doorWithLimits } from "./app/call-limits.ts";
import { createFailureLimit } from "./app/failure-limit.ts";
import { createFrontDoor } from "./app/front-door.ts";
import { followLimits } from "./app/live-limits.ts";
import { createPayments } from "./app/payments.ts";
import { createRateLimit } from "./app/rate-limit.ts";
import { createTokens } from "./app/tokens.ts";
import { connectSwitch } from "./clients/connect-switch.ts";
import { edgeConfig, frontDoorSettings } from "./config.ts";
import { buildApp } from "./rest/app.ts";
import { connectPlugin } from "./rpc/connect-plugin.ts";
import { createApiKeyStore } from "./store/api-keys.ts";

/** How long a start waits for the switch before it listens anyway; readiness tells when it is there (ms). */
const switchWaitMs = 5_000;

const config = loadConfig(edgeConfig, process.env);
forgetSecrets(edgeConfig, process.env);
const logger = createLogger({ service: "edge", level: config.logLevel });
const now = () => performance.now();

runProcess({
  name: "edge",
  logger,
  async start({ isDraining }) {
    const telemetry = startTelemetry({ service: "edge", otlpUrl: config.otlpUrl, traceRatio: config.traceRatio });
    const { metrics, tracer } = telemetry;
    const sql = connectPostgres({ url: config.databaseUrl, name: "florin-edge", connectionsMax: config.databaseConnectionsMax });
    const { tls } = watchTls({ directoryOrOff: config.tlsDir, name: "edge", logger });
    const toSwitch = connectSwitch({
      address: config.switchAddress,
      tls,
      commandsInFlightMax: config.commandsInFlightMax,
      metrics,
      logger,
    });
    const otherwise = { burst: config.rateBurst, perSecond: config.ratePerSecond };
    const limits = followLimits({ ask: toSwitch.limits, otherwise, metrics, logger, timing: systemTiming });
    const doorSettings = doorWithLimits(frontDoorSettings(config), limits.calls);
    const turnMsMax = () => doorSettings().retryAfterMsMax;
    const rateLimit = createRateLimit({ rateOf: limits.rateOf, turnMsMax, now, metrics });
    const failureRate = { burst: config.failuresBurst, perSecond: config.failuresPerMinute / 60 };
    const authenticator = createAuthenticator({
      store: createApiKeyStore(sql),
      pepper: config.apiKeyPepper.expose(),
      failures: createFailureLimit({ rate: failureRate, now, metrics }),
      metrics,
      now,
      foundTtlMs: config.keyFoundTtlMs,
      unknownTtlMs: config.keyUnknownTtlMs,
    });
    const { mutationTimeoutMs, readTimeoutMs, trustedProxies } = config;
    const door = createFrontDoor({ settings: doorSettings, metrics, now });
    const asking = createAsking({ tracer, door });
    const payments = createPayments({ paymentSwitch: toSwitch.payments, asking, mutationTimeoutMs, readTimeoutMs });
    const tokens = createTokens({ tokenSwitch: toSwitch.tokens, asking, readTimeoutMs });
    const parts = { payments, tokens, authenticator, rateLimit, door, metrics, logger };
    const openapi = readFileSync(new URL("../openapi.json", import.meta.url), "utf8");
    const app = buildApp({ ...parts, openapi, trustedProxies, mount: connectPlugin(parts) });
    await toSwitch.connection.untilConnected(switchWaitMs);
    app.fastify.server.maxConnections = config.connectionsMax;
    await app.fastify.listen({ host: config.listenHost, port: config.httpPort });
    const readiness = async () => {
      const database = await sql`SELECT 1`.then(
        () => "up" as const,
        // Proven keys work on without it.
        () => "degraded" as const,
      );
      const isConnected = toSwitch.connection.isConnected();
      return { ready: isConnected && !isDraining(), parts: { switch: isConnected ? ("up" as const) : ("down" as const), database } };
    };
    const admin = await startAdminServer({
      host: config.listenHost,
      port: config.adminPort,
      telemetry,
      live: () => true,
      ready: readiness,
    });
    logger.info({ addresses: app.fastify.addresses(), admin_port: admin.port }, "edge listens");
    const drain: Part[] = [
      { name: "http", stop: () => app.drain(config.drainGraceMs) },
      { name: "limits", stop: () => limits.stop() },
      { name: "switch", stop: () => toSwitch.connection.close() },
      { name: "database", stop: () => endPostgres(sql) },
      { name: "admin", stop: () => admin.close() },
      { name: "telemetry", stop: () => telemetry.shutdown() },
    ];
    return { drain };
  },
});
