/** Settings of the ledger process. */
import { type ConfigValues, choice, defineConfig, integer, ratio, text, tlsFolder, url } from "@florin/runtime/config";

export const ledgerConfig = defineConfig("ledger", {
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
  grpcPort: integer({ env: "FLORIN_GRPC_PORT", help: "port of the RPC server", unit: "port", min: 0, max: 65_535, default: 8_093 }),
  adminPort: integer({ env: "FLORIN_ADMIN_PORT", help: "port of health and metrics", unit: "port", min: 0, max: 65_535, default: 8_104 }),
  tlsDir: tlsFolder({ env: "FLORIN_TLS_DIR", help: "folder with ca.pem, ledger.pem and ledger-key.pem, or the word off (benches only)" }),
  databaseUrl: url({
    env: "FLORIN_DATABASE_URL",
    help: "the ledger's own database, application role",
    protocols: ["postgres", "postgresql"],
    production: "password",
  }),
  databaseConnectionsMax: integer({
    env: "FLORIN_DATABASE_CONNECTIONS_MAX",
    help: "connections for posting and reading; the lead lock has one of its own",
    unit: "connections",
    min: 2,
    max: 100,
    default: 4,
  }),
  natsUrl: url({
    env: "FLORIN_NATS_URL",
    help: "broker that carries the payment log; empty: the switch is followed directly",
    protocols: ["nats", "tls"],
    production: "password",
    default: "",
  }),
  switchAddress: text({ env: "FLORIN_SWITCH_ADDRESS", help: "host:port of the switch, to follow its log directly and to catch up" }),
  otlpUrl: url({ env: "FLORIN_OTLP_URL", help: "collector of traces; empty: no export", protocols: ["http", "https"], default: "" }),
  traceRatio: ratio({ env: "FLORIN_TRACE_RATIO", help: "share of requests that is traced", default: 0 }),
});

export type LedgerConfig = ConfigValues<typeof ledgerConfig.settings>;
