/** The simulator's servers: the acquirer's API and the admin API over HTTP, and the acquirer over ISO 8583. Builds, does not listen. */
import { setMaxListeners } from "node:events";
import type { Server } from "node:http";
import { AppError, type Secret } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import type { Logger, Telemetry } from "@florin/runtime/telemetry";
import { type FastifyInstance, fastify } from "fastify";
import { createAcquirer } from "../app/acquirer.ts";
import { type CallbackOptions, createCallbacks } from "../app/callbacks.ts";
import { createFaultRules } from "../app/fault-rules.ts";
import { createRequestMeter } from "../app/request-meter.ts";
import { createTerminalJournal } from "../app/terminal-journal.ts";
import type { PlayedAcquirer } from "../domain/acquirer-ways.ts";
import type { IssuerModel } from "../domain/issuer-model.ts";
import type { Latency } from "../domain/latency.ts";
import { createIso8583Host, type HostOptions } from "../iso8583/host.ts";
import { acquirerRoutes } from "./acquirer-routes.ts";
import { type AdminState, adminRoutes } from "./admin-routes.ts";
import { sendError } from "./answer-body.ts";
import { booksRoutes } from "./books-routes.ts";
import { simlaterRoutes } from "./simlater-routes.ts";

const bodySizeBytesMax = 16_384;
/** Longer than any caller keeps an idle connection, so the caller and not the acquirer ends it. */
const keepAliveTimeoutMs = 75_000;
const connectionsMax = 16_384;
/** How long answers under way may take when the acquirer ends, ms. Longer than its slowest usual day. */
const drainMsMax = 3_000;
const idleSweepMs = 50;

export type SimulatorOptions = {
  readonly sql: Sql;
  readonly apiKey: Secret;
  readonly latency: Latency;
  readonly refundDelayMs: number;
  /** Undefined: test cards answer as documented, and acquirers are out of order by rules only. */
  readonly issuers: IssuerModel | undefined;
  /** Undefined: the acquirer speaks HTTP only. It listens when the HTTP server does. */
  readonly iso8583: { readonly host: string; readonly port: number; readonly macKey: Secret } | undefined;
  /** Undefined: there is no acquirer that answers later. */
  readonly simlater: (Omit<CallbackOptions, "logger"> & { readonly apiKey: Secret; readonly callbackDelayMs: number }) | undefined;
  readonly logger: Logger;
  readonly telemetry: Pick<Telemetry, "metrics" | "tracer">;
};

export function buildSimulator(options: SimulatorOptions): FastifyInstance {
  const state: AdminState = {
    rules: createFaultRules(Math.random),
    latency: options.latency,
    latencyAtStart: options.latency,
    refundDelayMs: options.refundDelayMs,
    refundDelayMsAtStart: options.refundDelayMs,
  };
  const { metrics, tracer } = options.telemetry;
  const meter = createRequestMeter(metrics);
  const ending = new AbortController();
  setMaxListeners(connectionsMax, ending.signal);
  const acquirer = createAcquirer(options.sql, { refundDelayMs: () => state.refundDelayMs, issuers: options.issuers });
  const isOutOfOrder = (name: PlayedAcquirer) => () => options.issuers?.isOutOfOrder(name, Date.now()) ?? false;
  const app = fastify({
    bodyLimit: bodySizeBytesMax,
    keepAliveTimeout: keepAliveTimeoutMs,
    forceCloseConnections: "idle",
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  app.server.maxConnections = connectionsMax;
  app.setErrorHandler((thrown, _request, reply) => {
    if (isClientFault(thrown)) return sendError(reply, "request_invalid");
    if (thrown instanceof AppError && thrown.code === "overloaded") return sendError(reply, "overloaded");
    options.logger.error({ err: thrown }, "request failed");
    return sendError(reply, "internal");
  });
  app.setNotFoundHandler((_request, reply) => sendError(reply, "route_unknown"));
  app.register(async (scope) =>
    acquirerRoutes(scope, {
      acquirer,
      rules: state.rules,
      apiKey: options.apiKey,
      latency: () => state.latency,
      meter,
      tracer,
      ending: ending.signal,
      isOutOfOrder: isOutOfOrder("simpay"),
    }),
  );
  const { simlater } = options;
  const callbacks = simlater === undefined ? undefined : createCallbacks({ ...simlater, logger: options.logger });
  if (simlater !== undefined && callbacks !== undefined)
    app.register(async (scope) => {
      const { rules } = state;
      const world = { acquirer, rules, callbacks, meter, isOutOfOrder: isOutOfOrder("simlater"), ending: ending.signal };
      const day = { latency: () => state.latency, refundDelayMs: () => state.refundDelayMs };
      simlaterRoutes(scope, { ...simlater, ...world, ...day });
    });
  app.register(async (scope) => {
    adminRoutes(scope, state, callbacks);
    booksRoutes(scope, options.sql);
  });
  if (options.iso8583 !== undefined)
    speakIso8583(
      app,
      { ...options, acquirer, rules: state.rules, latency: () => state.latency, meter, isOutOfOrder: isOutOfOrder("simiso") },
      options.iso8583,
    );
  app.addHook("preClose", async () => {
    ending.abort();
    callbacks?.close();
    closeWhenAnswered(app.server);
  });
  app.addHook("onClose", () => acquirer.close());
  return app;
}

type Iso8583Parts = Omit<HostOptions, "macKey" | "journal"> & Pick<SimulatorOptions, "sql">;

function speakIso8583(app: FastifyInstance, options: Iso8583Parts, iso8583: NonNullable<SimulatorOptions["iso8583"]>): void {
  const journal = createTerminalJournal(options.sql);
  const host = createIso8583Host({ ...options, journal, macKey: iso8583.macKey });
  app.addHook("onClose", () => journal.close());
  app.addHook("onReady", async () => {
    const port = await host.listen(iso8583.host, iso8583.port);
    options.logger.info({ iso8583_port: port }, "simulator speaks ISO 8583");
  });
  app.addHook("preClose", () => host.close());
}

/** Answers under way are still given, and their connections closed then; what a caller does not read is cut. */
function closeWhenAnswered(server: Server): void {
  const sweeper = setInterval(() => server.closeIdleConnections(), idleSweepMs);
  const cutter = setTimeout(() => server.closeAllConnections(), drainMsMax);
  server.once("close", () => {
    clearInterval(sweeper);
    clearTimeout(cutter);
  });
}

/** Bad JSON, a body that is too large, a schema that does not fit. Validation messages are not passed on: they may quote what was sent. */
function isClientFault(thrown: unknown): boolean {
  return thrown instanceof Error && "statusCode" in thrown && typeof thrown.statusCode === "number" && thrown.statusCode < 500;
}
