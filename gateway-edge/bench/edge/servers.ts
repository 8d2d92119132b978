/**
 * Child process: one of the servers that are compared, by name. Prints its port to the parent, and its CPU time whenever the parent asks.
 *
 * echo: a bare Fastify that answers with the body. edge: this workspace, with its real parts except the database (keys come from
 * memory). full-edge: the same without any room, so that every answer is 503. echo-and-plugin: the echo with @fastify/rate-limit before it.
 */
import { randomBytes } from "node:crypto";
import rateLimitPlugin from "@fastify/rate-limit";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { loadTls } from "@florin/runtime/tls";
import Fastify, { type FastifyInstance } from "fastify";
import { createAsking } from "../../src/app/asking.ts";
import { createAuthenticator } from "../../src/app/authenticate.ts";
import { createFailureLimit } from "../../src/app/failure-limit.ts";
import { createFrontDoor, type FrontDoorSettings } from "../../src/app/front-door.ts";
import { keyHash } from "../../src/app/key-hash.ts";
import { createPayments } from "../../src/app/payments.ts";
import { createRateLimit } from "../../src/app/rate-limit.ts";
import { createTokens } from "../../src/app/tokens.ts";
import { connectSwitch } from "../../src/clients/connect-switch.ts";
import { parseBearer } from "../../src/domain/api-key.ts";
import { buildApp } from "../../src/rest/app.ts";
import { authorizedPayment } from "../../src/rest/payment-samples.ts";

const [kind = "echo", secretKey = "", switchAddress = "", tlsDirectory = "off"] = process.argv.slice(2);
const logger = createLogger({ service: "bench", level: "info" });
const openDoor: FrontDoorSettings = {
  inFlightMin: 4_096,
  inFlightMax: 4_096,
  ownTimeTargetMs: 60,
  ceilings: { read: 0.6, capture: 0.75, refund: 0.9, authorize: 1 },
  bulkheads: { read: 0.4, capture: 0.4, refund: 0.4, authorize: 1 },
  merchantShareOfFree: 4,
  retryAfterMs: 1_000,
  retryAfterMsMax: 30_000,
};

async function makeEdge(toSwitch: ReturnType<typeof connectSwitch>): Promise<FastifyInstance> {
  const { metrics, tracer } = startTelemetry({ service: "edge", otlpUrl: "", traceRatio: 0 });
  const now = () => performance.now();
  const pepper = randomBytes(32);
  const key = parseBearer(`Bearer ${secretKey}`);
  const stored = { merchantId: authorizedPayment().merchantId, mode: "test" as const, keyHash: keyHash(pepper, secretKey) };
  const authenticator = createAuthenticator({
    store: { find: async (keyId) => (keyId === key?.keyId ? stored : undefined) },
    pepper,
    failures: createFailureLimit({ rate: { burst: 100, perSecond: 1 }, now, metrics }),
    metrics,
    now,
    foundTtlMs: 30_000,
    unknownTtlMs: 5_000,
  });
  const isFull = kind === "full-edge";
  const doorSettings = isFull ? { ...openDoor, inFlightMin: 1, inFlightMax: 1 } : openDoor;
  const door = createFrontDoor({ settings: () => doorSettings, metrics, now });
  // Whoever came first never leaves.
  if (isFull) void door.within({ name: "authorizePayment", merchantId: "" }, () => new Promise(() => {}));
  const asking = createAsking({ tracer, door });
  const payments = createPayments({ paymentSwitch: toSwitch.payments, asking, mutationTimeoutMs: 30_000, readTimeoutMs: 5_000 });
  const tokens = createTokens({ tokenSwitch: toSwitch.tokens, asking, readTimeoutMs: 5_000 });
  const rateLimit = createRateLimit({ rateOf: () => plenty, turnMsMax: () => 120_000, now, metrics });
  return buildApp({ payments, tokens, authenticator, rateLimit, door, metrics, logger, openapi: "{}", trustedProxies: "" }).fastify;
}

const plenty = { burst: 1e6, perSecond: 1e6 };

async function makeServer(): Promise<FastifyInstance> {
  if (kind === "edge" || kind === "full-edge") {
    const remote = connectSwitch({ address: switchAddress, tls: loadTls(tlsDirectory, "edge"), commandsInFlightMax: 4_096, logger });
    await remote.connection.untilConnected(5_000);
    return makeEdge(remote);
  }
  const echo = Fastify();
  if (kind === "echo-and-plugin")
    await echo.register(rateLimitPlugin, {
      max: 1e9,
      timeWindow: 1_000,
      keyGenerator: (request) => request.headers.authorization ?? request.ip,
    });
  echo.post("/v1/payments/authorize", (request, reply) => reply.code(201).send(request.body));
  return echo;
}

const server = await makeServer();
await server.listen({ host: "127.0.0.1", port: 0 });
const address = server.server.address();
process.send?.({ port: typeof address === "object" && address !== null ? address.port : 0 });
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, rssBytes: process.memoryUsage.rss() });
});
process.once("disconnect", () => process.exit(0));
