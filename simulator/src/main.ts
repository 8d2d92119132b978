/** The simulator process: the outside world of the sandbox. Refuses to start in production. */
import { forgetSecrets, loadConfig } from "@florin/runtime/config";
import { type Part, runProcess, startAdminServer } from "@florin/runtime/lifecycle";
import { connectPostgres, endPostgres } from "@florin/runtime/postgres";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { type SimulatorConfig, simulatorConfig } from "./config.ts";
import { acquirerWays } from "./domain/acquirer-ways.ts";
import { createIssuerModel } from "./domain/issuer-model.ts";
import { formatLatency, parseLatency } from "./domain/latency.ts";
import { buildSimulator, type SimulatorOptions } from "./rest/app.ts";

const config = loadConfig(simulatorConfig, process.env);
forgetSecrets(simulatorConfig, process.env);
const logger = createLogger({ service: "simulator", level: config.logLevel });

runProcess({
  name: "simulator",
  logger,
  async start({ isDraining }) {
    if (config.environment === "production") throw new Error("FLORIN_ENVIRONMENT is production: the simulator does not run in production");
    const latency = parseLatency(config.latency);
    if (latency === undefined) throw new Error("FLORIN_SIMULATOR_LATENCY is none, 20 or a range like 300-1200 (ms)");
    const telemetry = startTelemetry({ service: "simulator", otlpUrl: config.otlpUrl, traceRatio: config.traceRatio });
    const sql = connectPostgres({ url: config.databaseUrl, name: "florin-simulator", connectionsMax: config.databaseConnectionsMax });
    const { apiKey, refundDelayMs, iso8583MacKey: macKey } = config;
    const iso8583 = macKey === undefined ? undefined : { host: config.listenHost, port: config.iso8583Port, macKey };
    const issuers = config.issuerSeed === 0 ? undefined : createIssuerModel({ seed: config.issuerSeed, ways: acquirerWays });
    const app = buildSimulator({ sql, apiKey, latency, refundDelayMs, issuers, iso8583, simlater: simlaterOf(config), logger, telemetry });
    await app.listen({ host: config.listenHost, port: config.httpPort });
    const admin = await startAdminServer({
      host: config.listenHost,
      port: config.adminPort,
      telemetry,
      live: () => true,
      ready: async () => {
        const books = await sql`SELECT 1 FROM operations LIMIT 0`.then(
          () => "up" as const,
          () => "down" as const,
        );
        return { ready: books === "up" && !isDraining(), parts: { books } };
      },
    });
    logger.info({ http: app.addresses(), admin_port: admin.port, latency: formatLatency(latency) }, "simulator listens");
    const drain: Part[] = [
      { name: "http", stop: () => app.close() },
      { name: "database", stop: () => endPostgres(sql) },
      { name: "admin", stop: () => admin.close() },
      { name: "telemetry", stop: () => telemetry.shutdown() },
    ];
    return { drain };
  },
});

function simlaterOf(settings: SimulatorConfig): SimulatorOptions["simlater"] {
  const { simlaterApiKey: apiKey, simlaterCallbackKey: key, simlaterCallbackUrl: callbackUrl } = settings;
  if (apiKey === undefined) return undefined;
  if (key === undefined || callbackUrl === "")
    throw new Error("FLORIN_SIMLATER_API_KEY needs FLORIN_SIMLATER_CALLBACK_KEY and FLORIN_SIMULATOR_CALLBACK_URL");
  return { apiKey, key, url: callbackUrl, keyId: settings.simlaterCallbackKeyId, callbackDelayMs: settings.simlaterCallbackDelayMs };
}
