/**
 * The switch's use cases on real PostgreSQL and Redis; the vault and the connectors are doubles behind a real RPC link.
 *
 * `replica()` gives another set of parts on the same database: a second process, as far as the database and Redis can tell.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { ConnectorService } from "@florin/gen/connectors/v1/connectors";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { makeId } from "@florin/kernel";
import { connectPostgres, createServiceDatabase, dropServiceDatabase, type Sql } from "@florin/runtime/postgres";
import { connectRedis, type Redis } from "@florin/runtime/redis";
import { connectFramed } from "@florin/runtime/rpc";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { type TestPostgres, type TestRedis, testPostgres, testRedis, untilTrue } from "@florin/runtime/testing";
import { systemTiming } from "@florin/runtime/timing";
import { type CreateCommand, createOrAuthorize } from "../src/app/authorize-payment.ts";
import { createFraudScreen } from "../src/app/fraud/screen.ts";
import { liveLimits } from "../src/app/live-limits.ts";
import type { CallerIdentity, OperationAnswer } from "../src/app/operation.ts";
import type { Parts } from "../src/app/parts.ts";
import { createPaymentQueues } from "../src/app/payment-queues.ts";
import { createRouter } from "../src/app/routing/router.ts";
import { createSightings } from "../src/app/sightings.ts";
import { createConnectorGateway } from "../src/clients/connector-gateway.ts";
import { createProcessorCircuits } from "../src/clients/processor-circuits.ts";
import { createRetryBudgets } from "../src/clients/retry-budgets.ts";
import { createTokenDirectory } from "../src/clients/token-directory.ts";
import { type Block, listsAndVelocity, makeBlockList, type VelocityLimits } from "../src/domain/fraud/index.ts";
import { usualLimits } from "../src/domain/limits/index.ts";
import type { Payment, Refusal } from "../src/domain/payment/index.ts";
import { createAuthorizationRates, type HouseSettings } from "../src/domain/routing/index.ts";
import { defaultSettings } from "../src/domain/settings/index.ts";
import { migrate } from "../src/migrate.ts";
import { createCardDeclines } from "../src/store/card-declines.ts";
import { createClaims } from "../src/store/claims.ts";
import { createLogReader } from "../src/store/log-reader.ts";
import { createLogWriter } from "../src/store/log-writer.ts";
import { type Processor, startProcessor } from "./processor-double.ts";
import { startVault, type Vault } from "./vault-double.ts";

export const logger = createLogger({ service: "switch", level: "silent" });
export const telemetry = startTelemetry({ service: "switch", otlpUrl: "", traceRatio: 0 });

export type Stage = {
  readonly parts: Parts;
  readonly sql: Sql;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly superuserUrl: string;
  /** See `TestPostgres`. */
  readonly crashDatabase: TestPostgres["crash"];
  readonly processor: Processor;
  readonly vault: Vault;
  /** Undefined where no redis-server is installed, or when the stage was opened without. */
  readonly redisServer: TestRedis | undefined;
  readonly clock: Clock;
  readonly fraud: FraudSetting;
  /** What the house has settled; change at will. */
  readonly house: { settings: HouseSettings };
  replica(o?: { readonly withRedis?: boolean }): Promise<Parts>;
  stop(): Promise<void>;
};

/** Milliseconds by which this stage's clocks run ahead. */
export type Clock = { aheadMs: number /** Of the wall clock alone. */; wallAheadMs: number };
export type FraudSetting = { blocks: Block[]; limits: VelocityLimits };

const generous = { raisedFrom: 1_000_000, blockedFrom: 1_000_000 };
export const generousLimits: VelocityLimits = {
  cardPerHour: generous,
  cardPerDay: generous,
  ipPerHour: generous,
  merchantPerMinute: generous,
};

const tls = { kind: "off" } as const;
const redisTimeoutMs = 500;
let databases = 0;

const usual = liveLimits(() => defaultSettings({ processors: ["simpay"], velocity: generousLimits, ...usualLimits }));

export async function openStage(o: { readonly withRedis?: boolean } = {}): Promise<Stage> {
  const postgres = await testPostgres();
  // Roles belong to the server and the name of the app's role is fixed, so each stage makes the one database anew.
  databases += 1;
  if (databases > 1) throw new Error("one stage per test file");
  const { superuserUrl } = postgres;
  await dropServiceDatabase({ superuserUrl, database: "florin_switch" });
  const urls = await createServiceDatabase({ superuserUrl, database: "florin_switch", ownerPassword: "owner", appPassword: "app" });
  await migrate(urls.ownerUrl);
  const redisServer = o.withRedis === false ? undefined : await testRedis();
  const [processor, vault] = await Promise.all([startProcessor({ tls, logger }), startVault({ tls, logger })]);
  const clock: Clock = { aheadMs: 0, wallAheadMs: 0 };
  const house = { settings: defaultSettings({ processors: ["simpay"], velocity: generousLimits, ...usualLimits }) };
  const settings = () => house.settings;
  const fraud: FraudSetting = { blocks: [], limits: generousLimits };
  const closers: (() => Promise<unknown>)[] = [];

  const replica: Stage["replica"] = async (options = {}) => {
    const sql = connectPostgres({ url: urls.appUrl, name: "test-switch", connectionsMax: 8 });
    const redis = options.withRedis === false || redisServer === undefined ? undefined : await openRedis(redisServer.url);
    const vaultLink = connectFramed(VaultService, { address: `127.0.0.1:${vault.server.port}`, tls, logger });
    const connectorLink = connectFramed(ConnectorService, { address: `127.0.0.1:${processor.server.port}`, tls, logger });
    await Promise.all([vaultLink.untilConnected(5_000), connectorLink.untilConnected(5_000)]);
    const now = () => Date.now() + clock.aheadMs + clock.wallAheadMs;
    const timing = { ...systemTiming, monotonicMs: () => systemTiming.monotonicMs() + clock.aheadMs };
    const { metrics, tracer } = telemetry;
    const circuits = createProcessorCircuits({ settings: usual.circuits, now: timing.monotonicMs, metrics });
    const retries = createRetryBudgets({ settings: usual.retries, now: timing.monotonicMs, metrics });
    const log = createLogWriter({ sql, metrics });
    closers.push(async () => {
      await log.close();
      await Promise.all([vaultLink.close(), connectorLink.close()]);
      redis?.disconnect();
      await sql.end({ timeout: 1 });
    });
    return {
      log,
      reader: createLogReader(sql),
      claims: createClaims({ redis, metrics, now, timing }),
      vault: createTokenDirectory({ vault: vaultLink, now }),
      connectors: createConnectorGateway({ client: connectorLink, tracer, circuits, retries, now }),
      fraud: createFraudScreen({ tiers: [tierOf(fraud)] }),
      queues: createPaymentQueues(),
      questions: new Map(),
      sightings: createSightings({ timing }),
      metrics,
      now,
      random: randomBytes,
      timing,
      crashAt: () => {},
      authorizationLifetimeMs: 7 * 24 * 3_600_000,
      router: createRouter({
        settings,
        health: (name) => circuits.health(name, "authorize"),
        passedBy: circuits.passedBy,
        rates: { test: createAuthorizationRates(), live: createAuthorizationRates() },
        now,
      }),
      declines: createCardDeclines(sql, { timing }),
      settings,
    };
  };

  const parts = await replica();
  const sql = connectPostgres({ url: urls.appUrl, name: "test", connectionsMax: 4 });
  return {
    parts,
    sql,
    ...urls,
    superuserUrl,
    crashDatabase: postgres.crash,
    processor,
    vault,
    redisServer,
    clock,
    fraud,
    house,
    replica,
    async stop() {
      for (const close of closers) await close();
      await sql.end({ timeout: 1 });
      await Promise.all([processor.server.drain(1_000), vault.server.drain(1_000), redisServer?.stop()]);
      await postgres.stop();
    },
  };
}

/** Asks for the lists and limits at each call, so that a test may change them. */
function tierOf(fraud: FraudSetting) {
  return {
    name: "lists_and_velocity",
    budgetMs: 0,
    evaluate: (signals: Parameters<ReturnType<typeof listsAndVelocity>["evaluate"]>[0]) =>
      listsAndVelocity({ blockList: () => makeBlockList(fraud.blocks), limits: () => fraud.limits }).evaluate(signals),
  };
}

async function openRedis(url: string): Promise<Redis> {
  const redis = connectRedis({ url, name: "test", commandTimeoutMs: redisTimeoutMs });
  await untilTrue(() => redis.status === "ready", 5_000);
  return redis;
}

export function newCaller(mode: "test" | "live" = "test"): CallerIdentity {
  const merchantId = makeId("merchant", Date.now(), randomBytes(10));
  const requestId = makeId("request", Date.now(), randomBytes(10));
  return { merchantId, mode, origin: { actor: "key:test", requestId, traceparent: "" } };
}

type Changes = Partial<CreateCommand["payment"]> & {
  readonly key?: string;
  readonly caller?: CallerIdentity;
  readonly token?: string;
  readonly customerIp?: string;
  readonly confirm?: boolean;
};

export function createCommand(changes: Changes = {}): CreateCommand {
  const { key = randomUUID(), caller = newCaller(), token = "tok_visa_4242", customerIp = "", confirm = true, ...payment } = changes;
  return {
    caller,
    idempotencyKey: key,
    payment: {
      amount: 10_000n,
      currency: "EUR",
      captureMode: "manual",
      merchantReference: "",
      uniqueReference: false,
      description: "",
      metadata: {},
      ...payment,
    },
    attempt: confirm ? { token, customerIp } : undefined,
  };
}

/** An authorized payment, and whose it is. */
export async function authorized(parts: Parts, changes: Changes = {}): Promise<{ payment: Payment; caller: CallerIdentity }> {
  const command = createCommand(changes);
  return { payment: paymentOf(await createOrAuthorize(parts, command)), caller: command.caller };
}

export function paymentOf(answer: OperationAnswer): Payment {
  if (answer.payment === undefined) throw new Error(`no payment in ${answer.kind}${codeOf(answer) ?? ""}`);
  return answer.payment;
}

export function codeOf(answer: OperationAnswer): Refusal["code"] | undefined {
  return answer.kind === "in_flight" ? undefined : answer.refusal?.code;
}

export const keyed = () => ({ idempotencyKey: randomUUID() });
