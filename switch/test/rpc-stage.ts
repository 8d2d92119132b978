/** The switch's RPC server over mutual TLS on a stage, as `main.ts` composes it, and clients of every kind and identity. */
import { randomUUID } from "node:crypto";
import type { DescMethod } from "@bufbuild/protobuf";
import { type CreatePaymentRequest, Mode, PaymentService } from "@florin/gen/payments/v1/payments";
import { type CallOptions, type Client, connectFramed, connectUnary, type RpcServer, startRpcServer } from "@florin/runtime/rpc";
import { temporaryFolder } from "@florin/runtime/testing";
import { loadTls, makeCertificates, type TlsSetting } from "@florin/runtime/tls";
import { expect } from "vitest";
import type { BulkheadSettings } from "../src/app/live-limits.ts";
import type { Parts } from "../src/app/parts.ts";
import { createSettingsDesk } from "../src/app/settings-desk.ts";
import { usualLimits } from "../src/domain/limits/index.ts";
import { createBulkheads } from "../src/rpc/bulkheads.ts";
import { createEdgeSettingsService } from "../src/rpc/edge-settings-service.ts";
import { createEventLogService } from "../src/rpc/event-log-service.ts";
import { createPaymentService } from "../src/rpc/payment-service.ts";
import { callerPolicy } from "../src/rpc/policy.ts";
import { createRecoveryService } from "../src/rpc/recovery-service.ts";
import { createSettingsService } from "../src/rpc/settings-service.ts";
import { createTokenService } from "../src/rpc/token-service.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createOpenOperations } from "../src/store/open-operations.ts";
import { createPaymentLists } from "../src/store/payment-lists.ts";
import { createSettingsReplicas } from "../src/store/settings-replicas.ts";
import { createSettingsVersions } from "../src/store/settings-versions.ts";
import { createWorkerCheckpoints } from "../src/store/worker-checkpoints.ts";
import { openPlainGrpc, type PlainClient } from "./plain-grpc.ts";
import { logger, newCaller, openStage, type Stage, telemetry } from "./stage.ts";

/** Certificates of our CA. `somebody` is in no policy. */
export const identities = ["switch", "edge", "client", "operator", "ledger", "vault", "connectors", "simulator", "somebody"] as const;
export type Identity = (typeof identities)[number];
export type MutualTls = Extract<TlsSetting, { kind: "mutual" }>;

/** Both enter the same function. */
export const ways = ["unary", "framed"] as const;
export type Payments = Client<typeof PaymentService>;

export type RpcStage = {
  readonly stage: Stage;
  /** The server of the stage's own replica. */
  readonly server: RpcServer;
  serve(parts: Parts, o?: { readonly commandsInFlightMax?: number; readonly bulkheads?: Partial<BulkheadSettings> }): Promise<RpcServer>;
  tlsOf(identity: Identity): MutualTls;
  /** A client that is connected. One per server, way and identity is made and kept. */
  ready(way: (typeof ways)[number], identity?: Identity, at?: RpcServer): Promise<Payments>;
  /** A foreign client, kept likewise. */
  plain(identity?: Identity, at?: RpcServer): PlainClient;
  /** All that a call could leave behind. */
  recorded(): Promise<Readonly<Record<string, number>>>;
  /** Closed with the stage. */
  closing(close: () => unknown): void;
  stop(): Promise<void>;
};

const open = { ceiling: 1, ownMax: 1 } as const;
/** Nobody is sent away. */
export const openBulkheads: BulkheadSettings = {
  inFlightMax: 65_536,
  classes: { read: open, capture: open, refund: open, authorize: open },
  merchantShareOfFree: 64,
  retryAfterMs: 1_000,
};

export async function openRpcStage(): Promise<RpcStage> {
  const certificates = temporaryFolder();
  const [stage] = await Promise.all([openStage(), makeCertificates({ directory: certificates, names: identities })]);
  const closers: (() => unknown)[] = [];
  const tlsOf = (identity: Identity) => mutualTls(certificates, identity);
  const serve: RpcStage["serve"] = async (parts, o = {}) => {
    const { bulkheads: changes, ...options } = o;
    const bulkheads = createBulkheads({ settings: () => ({ ...openBulkheads, ...changes }), metrics: telemetry.metrics });
    const started = await startRpcServer({
      host: "127.0.0.1",
      port: 0,
      tls: tlsOf("switch"),
      services: [
        createPaymentService({ parts, lists: createPaymentLists(stage.sql), bulkheads, tracer: telemetry.tracer }),
        createRecoveryService({
          reader: parts.reader,
          tail: createLogTail(stage.sql),
          operations: createOpenOperations(stage.sql),
          checkpoints: createWorkerCheckpoints(stage.sql),
          now: parts.now,
        }),
        createEventLogService({ tail: createLogTail(stage.sql), logger }),
        createTokenService(parts, bulkheads),
        createEdgeSettingsService(parts),
        createSettingsService(
          createSettingsDesk({
            versions: createSettingsVersions(stage.sql),
            replicas: createSettingsReplicas(stage.sql),
            connectors: async () => new Map(),
            builtIn: { processors: ["simpay"], ...usualLimits, velocity: parts.settings().limits.velocity },
          }),
        ),
      ],
      policy: callerPolicy,
      allowInsecure: false,
      logger,
      ...options,
    });
    closers.push(() => started.drain(1_000));
    return started;
  };
  const server = await serve(stage.parts);
  const kept = keeper(closers);
  return {
    stage,
    server,
    serve,
    tlsOf,
    async ready(way, identity = "edge", at = server) {
      const options = { address: `127.0.0.1:${at.port}`, tls: tlsOf(identity), peerName: "switch", logger };
      if (way === "unary") return kept(`unary/${identity}/${at.port}`, () => connectUnary(PaymentService, options));
      const framed = kept(`framed/${identity}/${at.port}`, () => connectFramed(PaymentService, options));
      // Until its stream is open it answers "unavailable".
      expect(await framed.untilConnected(5_000)).toBe(true);
      return framed;
    },
    plain: (identity = "edge", at = server) => kept(`plain/${identity}/${at.port}`, () => openPlainGrpc(at.port, tlsOf(identity))),
    async recorded() {
      const [rows] = await stage.sql<{ events: number; keys: number }[]>`
        SELECT (SELECT count(*)::int FROM payment_events) AS events, (SELECT count(*)::int FROM idempotency_keys) AS keys`;
      return { ...rows, ...stage.processor.calls };
    },
    closing: (close) => closers.push(close),
    async stop() {
      for (const close of closers.reverse()) await close();
      await stage.stop();
    },
  };
}

export function mutualTls(directory: string, identity: string): MutualTls {
  const tls = loadTls(directory, identity);
  if (tls.kind !== "mutual") throw new Error("a folder was given");
  return tls;
}

function keeper(closers: (() => unknown)[]) {
  const kept = new Map<string, unknown>();
  return <T extends { close(): unknown }>(name: string, make: () => T): T => {
    const known = kept.get(name) as T | undefined;
    if (known !== undefined) return known;
    const made = make();
    kept.set(name, made);
    closers.push(() => made.close());
    return made;
  };
}

export const within: CallOptions = { timeoutMs: 10_000 };
export const pathOf = (method: DescMethod) => `${method.parent.typeName}/${method.name}`;

/** The same client, for tables over its methods. */
export type LooseClient = Readonly<Record<string, (request: object, options: CallOptions) => Promise<unknown>>>;
export const loose = (client: Payments) => client as unknown as LooseClient;

export function newWireCaller() {
  const { merchantId, origin } = newCaller();
  return { merchantId, mode: Mode.TEST, actor: origin.actor, requestId: origin.requestId };
}

/** Fields of a create that a test changes. */
type Create = Omit<Partial<CreatePaymentRequest>, "$typeName" | "caller" | "paymentMethod"> & {
  readonly paymentMethod?: { readonly type: string; readonly token: string };
};
export const card = { type: "card", token: "tok_visa_4242" };

export const createRequest = (changes: Create = {}) => ({
  caller: newWireCaller(),
  idempotencyKey: randomUUID(),
  amount: 10_000n,
  currency: "EUR",
  paymentMethod: card,
  confirm: true,
  ...changes,
});

/** A payment authorized through this client, and whose it is. */
export async function authorizedOver(client: Payments, changes: Create = {}) {
  const request = createRequest(changes);
  const { result } = await client.createPayment(request, within);
  if (result?.payment === undefined) throw new Error("no payment");
  return { request, caller: request.caller, paymentId: result.payment.id, payment: result.payment };
}
