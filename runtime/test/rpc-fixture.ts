/** A server with a scriptable service over real mTLS, for the tests of rpc, frames and tls. The request's `token` says what to do. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventLogService } from "@florin/gen/events/v1/events";
import { FrameService } from "@florin/gen/frames/v1/frames";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { AppError, assert } from "@florin/kernel";
import { type ClientDuplexStream, Metadata } from "@grpc/grpc-js";
import { pino } from "pino";
import { openChannel } from "../src/rpc/channel.ts";
import {
  type CallContext,
  type ConnectOptions,
  connectFramed,
  implement,
  type RpcServer,
  type RpcServerOptions,
  startRpcServer,
} from "../src/rpc/index.ts";
import { loadTls, makeCertificates } from "../src/tls/index.ts";

export const logger = pino({ level: "silent" });
export const describeMethod = "florin.vault.v1.VaultService/DescribeToken";
export const names = ["switch", "vault", "connectors", "edge"];

export type Script = {
  /** Calls that were started, by their token. */
  readonly started: string[];
  readonly finished: string[];
  /** Reasons of aborted signals, by token. */
  readonly aborted: Map<string, unknown>;
  /** Ends every call that waits for it (`hold`). */
  release(): void;
  lastContext: CallContext | undefined;
};

export type Stage = {
  readonly directory: string;
  start(options?: Partial<RpcServerOptions>): Promise<{ server: RpcServer; address: string; script: Script }>;
  options(address: string, o?: { name?: string; commandsInFlightMax?: number }): ConnectOptions;
  close(): Promise<void>;
};

/** Certificates in a temporary folder; servers started by it are drained by `close`. */
export async function makeStage(): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), "florin-rpc-"));
  await makeCertificates({ directory, names });
  const servers: RpcServer[] = [];
  return {
    directory,
    async start(options) {
      const { script, services } = scripted();
      const policy = { switch: [describeMethod, "florin.events.v1.EventLogService/*"], connectors: ["florin.vault.v1.VaultService/*"] };
      const tls = loadTls(directory, "vault");
      const server = await startRpcServer({ host: "127.0.0.1", port: 0, tls, services, policy, allowInsecure: false, logger, ...options });
      servers.push(server);
      return { server, address: `127.0.0.1:${server.port}`, script };
    },
    options(address, o = {}) {
      const tls = loadTls(directory, o.name ?? "switch");
      const bound = o.commandsInFlightMax === undefined ? {} : { commandsInFlightMax: o.commandsInFlightMax };
      return { address, tls, logger, peerName: "vault", ...bound };
    },
    async close() {
      await Promise.all(servers.map((server) => server.drain(200)));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A framed client that is connected. */
export async function connected(options: ConnectOptions) {
  const client = connectFramed(VaultService, options);
  assert(await client.untilConnected(5_000), "connected");
  return client;
}

/** A frame stream without our client, for peers that misbehave. */
export function rawStream(options: ConnectOptions): { stream: ClientDuplexStream<Buffer, Buffer>; close(): void } {
  const asIs = (bytes: Buffer) => bytes;
  const channel = openChannel(options);
  const { exchange } = FrameService.method;
  const stream = channel.makeBidiStreamRequest(
    `/${exchange.parent.typeName}/${exchange.name}`,
    asIs,
    asIs,
    new Metadata({ waitForReady: true }),
  );
  stream.on("error", () => {});
  return {
    stream,
    close() {
      stream.cancel();
      channel.close();
    },
  };
}

function scripted() {
  const holds: (() => void)[] = [];
  const script: Script = {
    started: [],
    finished: [],
    aborted: new Map(),
    release: () => {
      for (const release of holds.splice(0)) release();
    },
    lastContext: undefined,
  };
  const vault = implement(VaultService, {
    async describeToken({ token, merchantId }, context) {
      script.started.push(token);
      script.lastContext = context;
      await act(token, context, script, holds);
      script.finished.push(token);
      return { found: true, brand: token, fingerprint: merchantId };
    },
    detokenize: async () => ({ found: true, number: new Uint8Array([1, 2, 3]) }),
    deleteToken: async () => ({ found: false }),
  });
  const events = implement(EventLogService, {
    async *subscribe({ afterPosition, consumer }, context) {
      script.started.push(consumer);
      context.signal.addEventListener("abort", () => script.aborted.set(consumer, context.signal.reason));
      for (let position = afterPosition + 1n; ; position += 1n) {
        if (consumer === "refused") throw new AppError("unavailable", "log away", { work: "not_done", retryAfterMs: 250 });
        if (consumer === "idle")
          await new Promise<void>((resolve) => context.signal.addEventListener("abort", () => resolve(), { once: true }));
        if (context.signal.aborted) return;
        yield { batch: { events: [{ position }] } };
        script.finished.push(`${position}`);
      }
    },
  });
  return { script, services: [vault, events] };
}

async function act(token: string, context: CallContext, script: Script, holds: (() => void)[]): Promise<void> {
  const [verb, argument = ""] = token.split(":");
  if (verb === "sleep") await new Promise((resolve) => setTimeout(resolve, Number(argument)));
  if (verb === "busy") for (const endMs = performance.now() + Number(argument); performance.now() < endMs; );
  if (verb === "hold") await new Promise<void>((resolve) => holds.push(resolve));
  if (verb === "refuse")
    throw new AppError("token_not_found", "no such token: é ü 漢", {
      work: "not_done",
      param: "payment_method.token",
      retryAfterMs: 1_500,
    });
  if (verb === "done") throw new AppError("payment_busy", "it happened", { work: "done" });
  if (verb === "bug") throw new TypeError("secret inner detail");
  if (verb === "signal") await untilAborted(token, context, script);
}

function untilAborted(token: string, context: CallContext, script: Script): Promise<void> {
  return new Promise((resolve) => {
    context.signal.addEventListener("abort", () => {
      script.aborted.set(token, context.signal.reason);
      resolve();
    });
  });
}
