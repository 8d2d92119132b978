/** An edge on real PostgreSQL and a real RPC server behind mutual TLS, whose PaymentService is scripted by the test. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Disposition,
  type GetPaymentRoutingResponseSchema,
  type ListPaymentEventsResponseSchema,
  type ListPaymentsResponseSchema,
  type OperationResult,
  OperationResultSchema,
  PaymentService,
} from "@florin/gen/payments/v1/payments";
import { type GetTokenResponseSchema, TokenService } from "@florin/gen/payments/v1/tokens";
import { EdgeSettingsService, type GetEdgeLimitsResponseSchema } from "@florin/gen/settings/v1/settings";
import { connectPostgres, createServiceDatabase } from "@florin/runtime/postgres";
import type { BucketRate } from "@florin/runtime/rate-limit";
import { type CallContext, implement, type RpcServer, startRpcServer } from "@florin/runtime/rpc";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { testPostgres } from "@florin/runtime/testing";
import { systemTiming } from "@florin/runtime/timing";
import { loadTls, makeCertificates } from "@florin/runtime/tls";
import { createAsking } from "../src/app/asking.ts";
import { type AuthenticatorOptions, createAuthenticator } from "../src/app/authenticate.ts";
import { doorWithLimits } from "../src/app/call-limits.ts";
import { createFailureLimit } from "../src/app/failure-limit.ts";
import { createFrontDoor, type FrontDoorSettings } from "../src/app/front-door.ts";
import { followLimits } from "../src/app/live-limits.ts";
import { createPayments } from "../src/app/payments.ts";
import { createRateLimit } from "../src/app/rate-limit.ts";
import { createTokens } from "../src/app/tokens.ts";
import { connectSwitch } from "../src/clients/connect-switch.ts";
import { migrate } from "../src/migrate.ts";
import { provisionMerchant } from "../src/provision.ts";
import { buildApp, type EdgeApp, type Patience } from "../src/rest/app.ts";
import { authorizedPayment } from "../src/rest/payment-samples.ts";
import { connectPlugin } from "../src/rpc/connect-plugin.ts";
import { createApiKeyStore } from "../src/store/api-keys.ts";

/** Drawn, as production wants it: a test starts the process there. */
export const pepper = randomBytes(32).toString("hex");
export const logger = createLogger({ service: "edge", level: "silent" });

type Received = { readonly method: string; readonly request: Record<string, unknown>; readonly context: CallContext };

/** What the switch answers next, and what it was asked. Change the functions at will; `reset` puts the defaults back. */
export type SwitchScript = {
  operation: (method: string, request: Record<string, unknown>, context: CallContext) => Promise<OperationResult> | OperationResult;
  payment: (paymentId: string, merchantId: string) => ReturnType<typeof authorizedPayment> | undefined;
  token: (token: string, merchantId: string) => MessageInitShape<typeof GetTokenResponseSchema>;
  list: () => MessageInitShape<typeof ListPaymentsResponseSchema>;
  events: () => MessageInitShape<typeof ListPaymentEventsResponseSchema>;
  routing: () => MessageInitShape<typeof GetPaymentRoutingResponseSchema>;
  /** The limits of the house. */
  limits: MessageInitShape<typeof GetEdgeLimitsResponseSchema>;
  readonly received: Received[];
  reset(): void;
};

export type Stage = {
  readonly script: SwitchScript;
  readonly ownerUrl: string;
  readonly switchAddress: string;
  readonly tlsDirectory: string;
  readonly appUrl: string;
  newKey(mode?: "test" | "live"): Promise<{ merchantId: string; secretKey: string }>;
  startEdge(options?: EdgeOptions): Promise<Edge>;
  startSwitch(): Promise<void>;
  stopSwitch(): Promise<void>;
  stop(): Promise<void>;
};

export type EdgeOptions = Partial<Pick<AuthenticatorOptions, "foundTtlMs" | "unknownTtlMs">> & {
  readonly rate?: BucketRate;
  readonly door?: Partial<FrontDoorSettings>;
  readonly failureRate?: BucketRate;
  readonly mutationTimeoutMs?: number;
  readonly commandsInFlightMax?: number;
  readonly databaseUrl?: string;
  readonly patience?: Patience;
};
export type Edge = { readonly url: string; readonly port: number; readonly app: EdgeApp; scrape(): Promise<string>; stop(): Promise<void> };

export function done(changes: MessageInitShape<typeof OperationResultSchema> = {}): OperationResult {
  return create(OperationResultSchema, { disposition: Disposition.DONE, payment: authorizedPayment(), ...changes });
}

export async function openStage(): Promise<Stage> {
  const postgres = await testPostgres();
  const database = await createServiceDatabase({
    superuserUrl: postgres.superuserUrl,
    database: "florin_edge",
    ownerPassword: randomBytes(16).toString("hex"),
    appPassword: randomBytes(16).toString("hex"),
  });
  await migrate(database.ownerUrl);
  const tlsDirectory = mkdtempSync(join(tmpdir(), "florin-edge-"));
  await makeCertificates({ directory: tlsDirectory, names: ["switch", "edge"], authorityName: "Test CA" });
  const script = makeScript();
  let server: RpcServer | undefined;
  let switchPort = 0;
  const startSwitch = async (): Promise<void> => {
    server = await startScriptedSwitch(script, { tlsDirectory, port: switchPort });
    switchPort = server.port;
  };
  await startSwitch();
  const edges: Edge[] = [];
  const address = () => `127.0.0.1:${switchPort}`;
  return {
    script,
    ownerUrl: database.ownerUrl,
    appUrl: database.appUrl,
    tlsDirectory,
    get switchAddress() {
      return address();
    },
    newKey: (mode = "test") => provisionMerchant({ ownerUrl: database.ownerUrl, pepper, name: "Corner shop", mode }),
    async startEdge(options = {}) {
      const edge = await startEdge({ ...options, databaseUrl: options.databaseUrl ?? database.appUrl, address: address(), tlsDirectory });
      edges.push(edge);
      return edge;
    },
    startSwitch,
    async stopSwitch() {
      await server?.drain(0);
    },
    async stop() {
      for (const edge of edges) await edge.stop();
      await server?.drain(0);
      await postgres.stop();
      rmSync(tlsDirectory, { recursive: true, force: true });
    },
  };
}

async function startEdge(o: EdgeOptions & { databaseUrl: string; address: string; tlsDirectory: string }): Promise<Edge> {
  const telemetry = startTelemetry({ service: "edge", otlpUrl: "", traceRatio: 0 });
  const { metrics, tracer } = telemetry;
  const sql = connectPostgres({ url: o.databaseUrl, name: "florin-edge", connectionsMax: 2 });
  const toSwitch = connectSwitch({
    address: o.address,
    tls: loadTls(o.tlsDirectory, "edge"),
    commandsInFlightMax: o.commandsInFlightMax ?? 1_024,
    logger,
  });
  await toSwitch.connection.untilConnected(5_000);
  const now = () => performance.now();
  const authenticator = createAuthenticator({
    store: createApiKeyStore(sql),
    pepper: Buffer.from(pepper, "hex"),
    failures: createFailureLimit({ rate: o.failureRate ?? { burst: 10_000, perSecond: 10_000 }, now, metrics }),
    metrics,
    now,
    foundTtlMs: o.foundTtlMs ?? 30_000,
    unknownTtlMs: o.unknownTtlMs ?? 5_000,
  });
  const otherwise = o.rate ?? { burst: 100_000, perSecond: 100_000 };
  const limits = followLimits({ ask: toSwitch.limits, otherwise, metrics, logger, timing: systemTiming });
  const doorSettings = doorWithLimits({ ...doorOf(o.door), placesMax: 65_536 }, limits.calls);
  const door = createFrontDoor({ settings: doorSettings, metrics, now });
  const asking = createAsking({ tracer, door });
  const mutationTimeoutMs = o.mutationTimeoutMs ?? 5_000;
  const payments = createPayments({ paymentSwitch: toSwitch.payments, asking, mutationTimeoutMs, readTimeoutMs: 5_000 });
  const tokens = createTokens({ tokenSwitch: toSwitch.tokens, asking, readTimeoutMs: 5_000 });
  const rateLimit = createRateLimit({ rateOf: limits.rateOf, turnMsMax: () => 120_000, now, metrics });
  const parts = { payments, tokens, authenticator, rateLimit, door, metrics, logger };
  const openapi = readFileSync(new URL("../openapi.json", import.meta.url), "utf8");
  const app = buildApp({
    ...parts,
    openapi,
    trustedProxies: "",
    mount: connectPlugin(parts),
    ...(o.patience === undefined ? {} : { patience: o.patience }),
  });
  await app.fastify.listen({ host: "127.0.0.1", port: 0 });
  const [address] = app.fastify.addresses();
  const port = typeof address === "object" ? address.port : 0;
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    await app.drain(0);
    await limits.stop();
    await toSwitch.connection.close();
    await sql.end({ timeout: 1 });
    await telemetry.shutdown();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    app,
    scrape: () => telemetry.scrape(),
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

function makeScript(): SwitchScript {
  const script: SwitchScript = {
    received: [],
    limits: {},
    operation: () => done(),
    payment: () => undefined,
    token: () => ({ refusal: "token_not_found" }),
    list: () => ({}),
    events: () => ({}),
    routing: () => ({}),
    reset() {
      script.received.length = 0;
      script.operation = () => done();
      script.payment = () => undefined;
      script.list = () => ({});
      script.events = () => ({});
      script.routing = () => ({});
    },
  };
  return script;
}

function startScriptedSwitch(script: SwitchScript, o: { tlsDirectory: string; port: number }): Promise<RpcServer> {
  const note = (method: string, request: object, context: CallContext): Record<string, unknown> => {
    const fields = request as Record<string, unknown>;
    script.received.push({ method, request: fields, context });
    return fields;
  };
  const operation = (method: string) => async (request: object, context: CallContext) => ({
    result: await script.operation(method, note(method, request, context), context),
  });
  const service = implement(PaymentService, {
    createPayment: operation("createPayment"),
    authorizePayment: operation("authorizePayment"),
    capturePayment: operation("capturePayment"),
    voidPayment: operation("voidPayment"),
    refundPayment: operation("refundPayment"),
    async getPayment(request, context) {
      note("getPayment", request, context);
      const payment = script.payment(request.paymentId, request.caller?.merchantId ?? "");
      return payment === undefined ? {} : { payment };
    },
    async listPayments(request, context) {
      note("listPayments", request, context);
      return script.list();
    },
    async listPaymentEvents(request, context) {
      note("listPaymentEvents", request, context);
      return script.events();
    },
    async getPaymentRouting(request, context) {
      note("getPaymentRouting", request, context);
      return script.routing();
    },
  });
  const tokens = implement(TokenService, {
    async getToken(request, context) {
      note("getToken", request, context);
      return script.token(request.token, request.caller?.merchantId ?? "");
    },
    async deleteToken(request, context) {
      note("deleteToken", request, context);
      return { found: script.token(request.token, request.caller?.merchantId ?? "").refusal !== "token_not_found" };
    },
  });
  const settings = implement(EdgeSettingsService, {
    getEdgeLimits: async ({ knownVersion }) => (knownVersion === script.limits.version ? { version: knownVersion ?? 0 } : script.limits),
  });
  return startRpcServer({
    host: "127.0.0.1",
    port: o.port,
    tls: loadTls(o.tlsDirectory, "switch"),
    services: [service, tokens, settings],
    policy: {
      edge: ["florin.payments.v1.PaymentService/*", "florin.payments.v1.TokenService/*", "florin.settings.v1.EdgeSettingsService/*"],
    },
    allowInsecure: false,
    logger,
  });
}

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are looked into freely by the tests.
  readonly body: any;
};

/** Room for everybody. */
/** A fixed number of places, unless a test is about how they are found. */
function doorOf(changes: Partial<FrontDoorSettings> = {}): FrontDoorSettings {
  const settings = { ...openDoor, ...changes };
  return { ...settings, inFlightMin: changes.inFlightMin ?? settings.inFlightMax };
}

const openDoor: FrontDoorSettings = {
  inFlightMin: 1_024,
  inFlightMax: 1_024,
  ownTimeTargetMs: 60,
  ceilings: { read: 1, capture: 1, refund: 1, authorize: 1 },
  bulkheads: { read: 1, capture: 1, refund: 1, authorize: 1 },
  merchantShareOfFree: 64,
  retryAfterMs: 1_000,
  retryAfterMsMax: 30_000,
};

let keys = 0;

/** One REST call. A fresh idempotency key for a POST unless one is given; a body that is text is sent as it stands. */
export async function call(
  edge: Pick<Edge, "url">,
  method: string,
  path: string,
  o: { secretKey?: string | undefined; body?: unknown; key?: string | null; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const headers: Record<string, string> = {};
  if (o.secretKey !== undefined) headers["authorization"] = `Bearer ${o.secretKey}`;
  if (method === "POST" && o.key !== null) headers["idempotency-key"] = o.key ?? `key-${process.pid}-${++keys}`;
  if (o.body !== undefined) headers["content-type"] = "application/json";
  const init: RequestInit = { method, headers: { ...headers, ...o.headers } };
  if (o.body !== undefined)
    init.body = typeof o.body === "string" || o.body instanceof Uint8Array ? (o.body as string) : JSON.stringify(o.body);
  const response = await fetch(edge.url + path, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text === "" ? undefined : JSON.parse(text) };
}

/** The body of R26. */
export const authorizeBody = {
  amount: 10_000,
  currency: "EUR",
  payment_method: { type: "card", token: "tok_visa_4242" },
  capture_mode: "manual",
  merchant_reference: "order-1001",
} as const;
