/**
 * A gRPC server of our services: unary and streaming calls, frames of every unary method, health, reflection.
 *
 * Invariants
 * - a frame and a unary call of one method run the same function under the same caller policy;
 * - a caller without a certificate of our CA, or whose certificate names nobody, gets nothing, health and reflection included;
 * - certificates that are renewed serve new connections, those that stand go on; a caller whose certificate is revoked or expires is put out;
 * - `drain` refuses new work, finishes what is in flight, then closes; what is left after its time-out is cut.
 *
 * Not here: what the methods do (service.ts), the frame protocol (frames/).
 */
import { FrameService } from "@florin/gen/frames/v1/frames";
import { assert } from "@florin/kernel";
import { Server, type ServerCredentials, setLogger } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Metrics } from "../telemetry/index.ts";
import { createCertificateCheck, type TlsSetting } from "../tls/index.ts";
import { CallHost } from "./call-host.ts";
import type { CallerPolicy } from "./caller-policy.ts";
import { sparePingsOfClosingSessions } from "./closing-sessions.ts";
import { serverCredentials } from "./credentials.ts";
import { addHealth } from "./health.ts";
import { addReflection } from "./reflection.ts";
import type { ServiceImplementation } from "./service.ts";
import { serverOptions, streamsPerConnectionMax, windowBytes } from "./transport-options.ts";

export type RpcServerOptions = {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly tls: TlsSetting;
  readonly services: readonly ServiceImplementation[];
  readonly policy: CallerPolicy;
  /** Commands in flight on one frame stream, and unary calls in flight on the server; one more is answered `overloaded`. Default 4,096. */
  readonly commandsInFlightMax?: number;
  /** Permits TLS off: benches only. */
  readonly allowInsecure: boolean;
  /** Where the frames' commands are counted. */
  readonly metrics?: Metrics;
  readonly logger: Logger;
  /** For health. Default: always ready. */
  readonly readiness?: () => boolean;
};

export type RpcServer = {
  readonly port: number;
  /** Frame streams open now. */
  readonly streamCount: number;
  /** Refuses new work, waits at most `timeoutMs` (ms) for what is in flight, closes. Safe to repeat. */
  drain(timeoutMs: number): Promise<void>;
};

/** How long a finished server waits for the last bytes to leave, ms. */
const lingerMs = 100;
/** So long a caller whose certificate has expired may go on over a connection that stood before, ms. */
const expelEveryMs = 30_000;

/** Rejects with an Error when the port is taken, or when TLS is off and `allowInsecure` is not set. */
export async function startRpcServer(o: RpcServerOptions): Promise<RpcServer> {
  const isInsecure = o.tls.kind === "off";
  assert(!isInsecure || o.allowInsecure, "TLS is off and allowInsecure is not set");
  if (isInsecure) o.logger.warn({ host: o.host, port: o.port }, "gRPC server without TLS: every caller is allowed");
  // grpc-js would write plain lines to stderr.
  setLogger({ error: (text) => o.logger.warn({ grpc: text }, "grpc-js"), info: () => {}, debug: () => {} });
  sparePingsOfClosingSessions();
  const server = new Server(serverOptions);
  const host = new CallHost({ ...o, isInsecure, certificateCheck: createCertificateCheck(o.tls) });
  const stopExpelling = keepExpelling(host, o.tls);
  for (const implementation of o.services) server.addService(...host.bind(implementation));
  server.addService(...host.bindFrames());
  const offered = [...o.services.map((implementation) => implementation.service), FrameService];
  addReflection(server, offered);
  const health = addHealth(server, offered, o.readiness ?? (() => true));
  const credentials = serverCredentials(o.tls, { initialWindowSize: windowBytes, maxConcurrentStreams: streamsPerConnectionMax });
  const port = await listen(server, o.host.includes(":") ? `[${o.host}]:${o.port}` : `${o.host}:${o.port}`, credentials);
  const drain = async (timeoutMs: number) => {
    health.notServing();
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    // Health watchers never end by themselves, so the server is done when our own calls are.
    const finished = host.drain().then(() => sleep(lingerMs));
    const isFinished = await Promise.race([closed.then(() => true), finished.then(() => true), sleep(timeoutMs).then(() => false)]);
    if (!isFinished) {
      // After a graceful close Node only half-closes the sockets, and a client would wait for its deadlines: tell it.
      host.cut();
      await sleep(lingerMs);
    }
    health.stop();
    stopExpelling();
    server.forceShutdown();
  };
  let draining: Promise<void> | undefined;
  return {
    port,
    get streamCount() {
      return host.streamCount;
    },
    drain(timeoutMs) {
      draining ??= drain(timeoutMs);
      return draining;
    },
  };
}

/** At once when the list of revoked certificates has changed, and now and then for those that expire. */
function keepExpelling(host: CallHost, tls: TlsSetting): () => void {
  if (tls.kind === "off") return () => {};
  const forget = tls.onChange?.(() => host.expel());
  const timer = setInterval(() => host.expel(), expelEveryMs).unref();
  return () => {
    forget?.();
    clearInterval(timer);
  };
}

function listen(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}

/** A timer that does not keep a finished process alive. */
function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs).unref());
}
