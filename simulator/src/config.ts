/** Settings of the simulator process. */
import { type ConfigValues, choice, defineConfig, integer, ratio, secretHex, secretText, text, url } from "@florin/runtime/config";

export const simulatorConfig = defineConfig("simulator", {
  environment: choice({
    env: "FLORIN_ENVIRONMENT",
    help: "where this process runs; the simulator refuses to start in production",
    values: ["sandbox", "production"],
    default: "sandbox",
  }),
  logLevel: choice({
    env: "FLORIN_LOG_LEVEL",
    help: "least severe line that is logged",
    values: ["debug", "info", "warn", "error"],
    default: "info",
  }),
  listenHost: text({ env: "FLORIN_LISTEN_HOST", help: "address to listen on", default: "127.0.0.1" }),
  httpPort: integer({
    env: "FLORIN_HTTP_PORT",
    help: "port of the acquirer and of its admin API",
    unit: "port",
    min: 0,
    max: 65_535,
    default: 8_082,
  }),
  adminPort: integer({ env: "FLORIN_ADMIN_PORT", help: "port of health and metrics", unit: "port", min: 0, max: 65_535, default: 8_105 }),
  databaseUrl: url({
    env: "FLORIN_DATABASE_URL",
    help: "the acquirer's own books, application role",
    protocols: ["postgres", "postgresql"],
    production: "password",
  }),
  databaseConnectionsMax: integer({
    env: "FLORIN_DATABASE_CONNECTIONS_MAX",
    help: "connections for booking and reading",
    unit: "connections",
    min: 2,
    max: 50,
    default: 4,
  }),
  apiKey: secretText({ env: "FLORIN_SIMPAY_API_KEY", help: "bearer key that the acquirer's callers must send" }),
  latency: text({ env: "FLORIN_SIMULATOR_LATENCY", help: "answer time in ms: none, 20, or a range like 300-1200", default: "none" }),
  refundDelayMs: integer({
    env: "FLORIN_SIMULATOR_REFUND_DELAY_MS",
    help: "time from the acceptance of a refund to its success or failure",
    unit: "ms",
    min: 0,
    max: 86_400_000,
    default: 2_000,
  }),
  issuerSeed: integer({
    env: "FLORIN_SIMULATOR_ISSUER_SEED",
    help: "seed of a world in which cards are refused and acquirers fail to get through or are out of order; 0: test cards answer as documented",
    unit: "seed",
    min: 0,
    max: 2_147_483_647,
    default: 0,
  }),
  iso8583Port: integer({
    env: "FLORIN_SIMULATOR_ISO8583_PORT",
    help: "port of the acquirer over ISO 8583, when there is a key for it",
    unit: "port",
    min: 0,
    max: 65_535,
    default: 8_083,
  }),
  iso8583MacKey: secretHex({
    env: "FLORIN_SIMULATOR_ISO8583_MAC_KEY",
    help: "both keys of the retail MAC (ANSI X9.19); empty: the acquirer speaks HTTP only",
    bytes: 16,
    optional: true,
  }),
  simlaterApiKey: secretText({
    env: "FLORIN_SIMLATER_API_KEY",
    help: "key that callers of the acquirer that answers later must send; empty: there is no such acquirer",
    optional: true,
  }),
  simlaterCallbackUrl: url({
    env: "FLORIN_SIMULATOR_CALLBACK_URL",
    help: "where the acquirer that answers later calls back; required with its key",
    protocols: ["http", "https"],
    default: "",
  }),
  simlaterCallbackKeyId: text({
    env: "FLORIN_SIMLATER_CALLBACK_KEY_ID",
    help: "name of the key that callbacks are signed with",
    default: "simlater-1",
  }),
  simlaterCallbackKey: secretHex({
    env: "FLORIN_SIMLATER_CALLBACK_KEY",
    help: "key of the callbacks' HMAC-SHA256; required with the acquirer's key",
    bytes: 32,
    optional: true,
  }),
  simlaterCallbackDelayMs: integer({
    env: "FLORIN_SIMULATOR_CALLBACK_DELAY_MS",
    help: "time from an order to its callback",
    unit: "ms",
    min: 0,
    max: 60_000,
    default: 20,
  }),
  otlpUrl: url({ env: "FLORIN_OTLP_URL", help: "collector of traces; empty: no export", protocols: ["http", "https"], default: "" }),
  traceRatio: ratio({ env: "FLORIN_TRACE_RATIO", help: "share of requests that is traced", default: 0 }),
});

export type SimulatorConfig = ConfigValues<typeof simulatorConfig.settings>;
