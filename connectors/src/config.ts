/** Settings of the connectors process. */
import { type ConfigValues, choice, defineConfig, integer, ratio, secretText, text, tlsFolder, url } from "@florin/runtime/config";

export const connectorsConfig = defineConfig("connectors", {
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
  grpcPort: integer({ env: "FLORIN_GRPC_PORT", help: "port of the RPC server", unit: "port", min: 0, max: 65_535, default: 8_091 }),
  adminPort: integer({ env: "FLORIN_ADMIN_PORT", help: "port of health and metrics", unit: "port", min: 0, max: 65_535, default: 8_102 }),
  tlsDir: tlsFolder({
    env: "FLORIN_TLS_DIR",
    help: "folder with ca.pem, connectors.pem and connectors-key.pem, or the word off (benches only)",
  }),
  vaultAddress: text({ env: "FLORIN_VAULT_ADDRESS", help: "host:port of the vault, which opens cards" }),
  vaultTimeoutMs: integer({
    env: "FLORIN_VAULT_TIMEOUT_MS",
    help: "longest wait for the vault; after it the operation is not sent",
    unit: "ms",
    min: 50,
    max: 30_000,
    default: 2_000,
  }),
  operationTimeoutMsMax: integer({
    env: "FLORIN_OPERATION_TIMEOUT_MS_MAX",
    help: "longest wait for a processor, whatever the caller allows",
    unit: "ms",
    min: 1_000,
    max: 120_000,
    default: 60_000,
  }),
  simpayUrl: url({
    env: "FLORIN_SIMPAY_URL",
    help: "origin of the simpay acquirer; empty: no such connector",
    protocols: ["http", "https"],
    production: "tls",
    default: "",
  }),
  simpayApiKey: secretText({ env: "FLORIN_SIMPAY_API_KEY", help: "bearer key for simpay; required with its URL", optional: true }),
  simpayConnectionsMax: integer({
    env: "FLORIN_SIMPAY_CONNECTIONS_MAX",
    help: "connections to simpay, each with one request at a time",
    unit: "connections",
    min: 1,
    max: 16_384,
    default: 4_096,
  }),
  simpayWaitingMax: integer({
    env: "FLORIN_SIMPAY_WAITING_MAX",
    help: "requests that may wait for a connection to simpay; one more is not sent",
    unit: "requests",
    min: 0,
    max: 65_536,
    default: 4_096,
  }),
  simpayConnectTimeoutMs: integer({
    env: "FLORIN_SIMPAY_CONNECT_TIMEOUT_MS",
    help: "longest wait for a new connection to simpay",
    unit: "ms",
    min: 50,
    max: 30_000,
    default: 3_000,
  }),
  otlpUrl: url({ env: "FLORIN_OTLP_URL", help: "collector of traces; empty: no export", protocols: ["http", "https"], default: "" }),
  traceRatio: ratio({ env: "FLORIN_TRACE_RATIO", help: "share of requests that is traced", default: 0 }),
});

export type ConnectorsConfig = ConfigValues<typeof connectorsConfig.settings>;
