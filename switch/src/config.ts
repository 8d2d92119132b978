/** Settings of the switch process. */
import { type ConfigValues, choice, defineConfig, integer, ratio, text, tlsFolder, url } from "@florin/runtime/config";

/** Named places where a crash hurts most; a test arms one of them. */
export const crashPoints = [
  "after_claim",
  "after_intent_commit",
  "after_send",
  "after_processor_answer",
  "after_reroute_commit",
  "after_outcome_commit",
  "after_remember",
  "before_reply",
] as const;

const count = (env: string, help: string, fallback: number) =>
  integer({ env, help, unit: "attempts", min: 1, max: 1_000_000_000, default: fallback });

export const switchConfig = defineConfig("switch", {
  environment: choice({
    env: "FLORIN_ENVIRONMENT",
    help: "where this process runs",
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
  grpcPort: integer({ env: "FLORIN_GRPC_PORT", help: "port of the RPC server", unit: "port", min: 0, max: 65_535, default: 8_090 }),
  adminPort: integer({ env: "FLORIN_ADMIN_PORT", help: "port of health and metrics", unit: "port", min: 0, max: 65_535, default: 8_101 }),
  tlsDir: tlsFolder({ env: "FLORIN_TLS_DIR", help: "folder with ca.pem, switch.pem and switch-key.pem, or the word off (benches only)" }),
  databaseUrl: url({
    env: "FLORIN_DATABASE_URL",
    help: "the switch's own database, application role",
    protocols: ["postgres", "postgresql"],
    production: "password",
  }),
  databaseConnectionsMax: integer({
    env: "FLORIN_DATABASE_CONNECTIONS_MAX",
    help: "connections for the reads that operations wait for; the writer of the log has two of its own, lists and background work four each, settings two, each leading worker one",
    unit: "connections",
    min: 4,
    max: 100,
    default: 8,
  }),
  redisUrl: url({
    env: "FLORIN_REDIS_URL",
    help: "idempotency cache and counters; empty: the database decides alone",
    protocols: ["redis", "rediss"],
    production: "password",
    default: "",
  }),
  redisTimeoutMs: integer({
    env: "FLORIN_REDIS_TIMEOUT_MS",
    help: "longest wait for Redis before going on without",
    unit: "ms",
    min: 5,
    max: 5_000,
    default: 250,
  }),
  natsUrl: url({
    env: "FLORIN_NATS_URL",
    help: "broker that the log is relayed to; empty: consumers follow the switch directly",
    protocols: ["nats", "tls"],
    production: "password",
    default: "",
  }),
  connectorsAddress: text({ env: "FLORIN_CONNECTORS_ADDRESS", help: "host:port of the connectors" }),
  vaultAddress: text({ env: "FLORIN_VAULT_ADDRESS", help: "host:port of the vault" }),
  circuitFailurePercent: integer({
    env: "FLORIN_CIRCUIT_FAILURE_PERCENT",
    help: "share of failures from which a processor is sent no more of an operation; slow calls are failures, declines are not",
    unit: "%",
    min: 1,
    max: 100,
    default: 50,
  }),
  circuitVolumeMin: integer({
    env: "FLORIN_CIRCUIT_VOLUME_MIN",
    help: "results within the window without which a processor is not judged",
    unit: "results",
    min: 1,
    max: 1_000_000,
    default: 20,
  }),
  circuitWindowMs: integer({
    env: "FLORIN_CIRCUIT_WINDOW_MS",
    help: "how far back results count",
    unit: "ms",
    min: 100,
    max: 600_000,
    default: 2_000,
  }),
  circuitSlowAfterMs: integer({
    env: "FLORIN_CIRCUIT_SLOW_AFTER_MS",
    help: "a call that a processor has not answered by then is a failure for its circuit; it is waited for all the same",
    unit: "ms",
    min: 10,
    max: 60_000,
    default: 1_500,
  }),
  circuitOpenMs: integer({
    env: "FLORIN_CIRCUIT_OPEN_MS",
    help: "how long a processor that failed is left alone before it is tried again",
    unit: "ms",
    min: 10,
    max: 600_000,
    default: 1_000,
  }),
  circuitProbesMax: integer({
    env: "FLORIN_CIRCUIT_PROBES_MAX",
    help: "calls that find out whether a processor is well again; all must succeed",
    unit: "calls",
    min: 1,
    max: 1_000,
    default: 3,
  }),
  retryPercent: integer({
    env: "FLORIN_RETRY_PERCENT",
    help: "questions, repetitions and reversals that a processor leaves unanswered, per operations sent to it; more are put off",
    unit: "%",
    min: 1,
    max: 100,
    default: 10,
  }),
  retriesSavedMax: integer({
    env: "FLORIN_RETRIES_SAVED_MAX",
    help: "of them, what may be saved up: so many may be asked of one processor at once",
    unit: "calls",
    min: 1,
    max: 65_536,
    default: 256,
  }),
  retriesPerSecondMin: integer({
    env: "FLORIN_RETRIES_PER_SECOND_MIN",
    help: "of them, what is allowed where there is no traffic, so that the end of an outage is found",
    unit: "calls/s",
    min: 1,
    max: 65_536,
    default: 10,
  }),
  inFlightMax: integer({
    env: "FLORIN_IN_FLIGHT_MAX",
    help: "calls of merchants in flight at this process; one more is answered overloaded before anything is done",
    unit: "calls",
    min: 1,
    max: 65_536,
    default: 8_192,
  }),
  readsCeiling: ratio({
    env: "FLORIN_READS_CEILING",
    help: "share of FLORIN_IN_FLIGHT_MAX in flight, of all kinds together, from which reads are sent away",
    default: 0.6,
  }),
  capturesCeiling: ratio({ env: "FLORIN_CAPTURES_CEILING", help: "the same for captures", default: 0.75 }),
  refundsCeiling: ratio({ env: "FLORIN_REFUNDS_CEILING", help: "the same for refunds and voids", default: 0.9 }),
  readsBulkhead: ratio({ env: "FLORIN_READS_BULKHEAD", help: "share of FLORIN_IN_FLIGHT_MAX that reads may hold", default: 0.4 }),
  capturesBulkhead: ratio({ env: "FLORIN_CAPTURES_BULKHEAD", help: "the same for captures", default: 0.4 }),
  refundsBulkhead: ratio({ env: "FLORIN_REFUNDS_BULKHEAD", help: "the same for refunds and voids", default: 0.4 }),
  authorizationsBulkhead: ratio({ env: "FLORIN_AUTHORIZATIONS_BULKHEAD", help: "the same for authorizations", default: 1 }),
  merchantShareOfFree: integer({
    env: "FLORIN_MERCHANT_CALLS_PER_FREE_CALL",
    help: "calls that one merchant may have in flight for each one that is still free: with 4, a merchant alone gets 4/5, two get 4/9 each",
    unit: "calls per free call",
    min: 1,
    max: 64,
    default: 4,
  }),
  overloadRetryAfterMs: integer({
    env: "FLORIN_OVERLOAD_RETRY_AFTER_MS",
    help: "what who finds no place is told to wait",
    unit: "ms",
    min: 1_000,
    max: 60_000,
    default: 1_000,
  }),
  connector: text({
    env: "FLORIN_CONNECTOR",
    help: "registry names of the connectors that take new payments, separated by commas, in the order in which they are tried",
    default: "simpay",
  }),
  authorizationHours: integer({
    env: "FLORIN_AUTHORIZATION_HOURS",
    help: "how long an issuer holds an authorization",
    unit: "h",
    min: 1,
    max: 720,
    default: 168,
  }),
  cardPerHourRaised: count("FLORIN_VELOCITY_CARD_PER_HOUR_RAISED", "attempts of one card in an hour that raise the risk", 6),
  cardPerHourBlocked: count("FLORIN_VELOCITY_CARD_PER_HOUR_BLOCKED", "attempts of one card in an hour that block it", 30),
  cardPerDayRaised: count("FLORIN_VELOCITY_CARD_PER_DAY_RAISED", "attempts of one card in a day that raise the risk", 20),
  cardPerDayBlocked: count("FLORIN_VELOCITY_CARD_PER_DAY_BLOCKED", "attempts of one card in a day that block it", 100),
  ipPerHourRaised: count("FLORIN_VELOCITY_IP_PER_HOUR_RAISED", "attempts of one address in an hour that raise the risk", 30),
  ipPerHourBlocked: count("FLORIN_VELOCITY_IP_PER_HOUR_BLOCKED", "attempts of one address in an hour that block it", 200),
  merchantPerMinuteRaised: count(
    "FLORIN_VELOCITY_MERCHANT_PER_MINUTE_RAISED",
    "attempts of one merchant in a minute that raise the risk",
    60_000,
  ),
  merchantPerMinuteBlocked: count(
    "FLORIN_VELOCITY_MERCHANT_PER_MINUTE_BLOCKED",
    "attempts of one merchant in a minute that block it",
    600_000,
  ),
  crashPoint: choice({
    env: "FLORIN_CRASH_POINT",
    help: "ends the process as by kill -9 at this point; tests only, refused in production",
    values: ["none", ...crashPoints],
    default: "none",
    sandboxOnly: crashPoints,
  }),
  otlpUrl: url({ env: "FLORIN_OTLP_URL", help: "collector of traces; empty: no export", protocols: ["http", "https"], default: "" }),
  traceRatio: ratio({ env: "FLORIN_TRACE_RATIO", help: "share of requests that is traced", default: 0 }),
});

export function circuitSettings(config: SwitchConfig) {
  return {
    failureShare: config.circuitFailurePercent / 100,
    volumeMin: config.circuitVolumeMin,
    windowMs: config.circuitWindowMs,
    slowAfterMs: config.circuitSlowAfterMs,
    openMs: config.circuitOpenMs,
    probesMax: config.circuitProbesMax,
  };
}

export function retrySettings(config: SwitchConfig) {
  return { share: config.retryPercent / 100, savedMax: config.retriesSavedMax, perSecondMin: config.retriesPerSecondMin };
}

export function bulkheadSettings(config: SwitchConfig) {
  return {
    inFlightMax: config.inFlightMax,
    classes: {
      read: { ceiling: config.readsCeiling, ownMax: config.readsBulkhead },
      capture: { ceiling: config.capturesCeiling, ownMax: config.capturesBulkhead },
      refund: { ceiling: config.refundsCeiling, ownMax: config.refundsBulkhead },
      authorize: { ceiling: 1, ownMax: config.authorizationsBulkhead },
    },
    merchantShareOfFree: config.merchantShareOfFree,
    retryAfterMs: config.overloadRetryAfterMs,
  };
}

export type SwitchConfig = ConfigValues<typeof switchConfig.settings>;
