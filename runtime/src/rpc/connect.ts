/**
 * The calling side: `connectFramed` (hot paths) and `connectUnary` (people, tools, low rates) give the same `Client` and the same faults.
 *
 * With a TLS setting that is watched both move to a new connection when the certificates have changed: new calls leave there, those in flight are
 * answered where they are. A stream of answers has no end to wait for: it ends, as if the server had ended it, and its caller asks anew.
 */
import { create, type DescMessage, type DescMethod, type DescService, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { FrameService } from "@florin/gen/frames/v1/frames";
import { AppError } from "@florin/kernel";
import { type CallOptions as GrpcCallOptions, Metadata } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { bytesOf, type CallOptions, createBatchEncoder, FrameLink, type LinkMethod, timeoutMsMax } from "../frames/index.ts";
import type { Metrics } from "../telemetry/index.ts";
import type { TlsSetting } from "../tls/index.ts";
import { AnswerStreams } from "./answer-streams.ts";
import { observeFrames } from "./frame-metrics.ts";
import { fromStatus } from "./grpc-status.ts";
import { asBuffer, asIs, type LooseInit, metadataOf, pathOf } from "./grpc-words.ts";
import { LastingChannel } from "./lasting-channel.ts";
import { type Client, methodName, type StreamOptions } from "./service.ts";

export type ConnectOptions = {
  /** "host:port". */
  readonly address: string;
  readonly tls: TlsSetting;
  /** Identity that the server's certificate must carry ("vault"). Default: any server of our CA whose certificate fits the host. */
  readonly peerName?: string;
  /** Framed only: commands without an answer, default 4,096. One more is answered `overloaded`, not_done. */
  readonly commandsInFlightMax?: number;
  /** Framed only: where the link's commands are counted. */
  readonly metrics?: Metrics;
  readonly logger: Logger;
};

export type Connection = {
  /** Ends streams of answers, waits for the unary calls in flight (framed: at most 10 s), then closes. Safe to repeat. */ close(): Promise<void>;
};

export type FramedConnection = Connection & {
  /** A stream is open: a command would leave at once. */
  isConnected(): boolean;
  /** True as soon as a stream is open; false when none was within `timeoutMs` (ms). */
  untilConnected(timeoutMs: number): Promise<boolean>;
  /** Calls `listener` each time a stream has opened from now on, also to a peer that was away. Returns how to end that. */
  onConnected(listener: () => void): () => void;
  /** Commands without an answer, over all services of the link. */
  inFlight(): number;
};

/** One connection and one frame stream that several services may share: `link.client(VaultService)`. */
export type SharedLink = FramedConnection & { client<S extends DescService>(service: S): Client<S> };

type CallUnary = (method: DescMethod, request: LooseInit, options: CallOptions) => Promise<MessageShape<DescMessage>>;

/** Reconnects by itself with backoff until closed. Commands while it is not connected are answered `unavailable`, not_done. */
export function connectFramed<S extends DescService>(service: S, o: ConnectOptions): Client<S> & FramedConnection {
  const { client, ...connection } = openFrameLink(o);
  return { ...client(service), ...connection };
}

export function openFrameLink(o: ConnectOptions): SharedLink {
  // A stream is not a call that could be repeated, so grpc-js need not keep its messages.
  const grpc = new LastingChannel(o, { "grpc.enable_retries": 0 });
  const metadata = new Metadata({ waitForReady: true });
  const observed = observeFrames(o.metrics, "client", () => link.inFlight);
  const link = new FrameLink({
    address: o.address,
    open: () => grpc.client.makeBidiStreamRequest(pathOf(FrameService.method.exchange), asIs, asIs, metadata),
    onFrame: observed.onFrame,
    logger: o.logger,
    ...(o.commandsInFlightMax === undefined ? {} : { commandsInFlightMax: o.commandsInFlightMax }),
  });
  const streams = new AnswerStreams(grpc);
  const forget = onNewCertificates(o.tls, () => {
    grpc.renew();
    link.renew();
    streams.end();
  });
  return {
    client: (service) => bindMethods(service, framedCall(link), streams),
    isConnected: () => link.isConnected(),
    untilConnected: (timeoutMs) => link.untilConnected(timeoutMs),
    onConnected: (listener) => link.onConnected(listener),
    inFlight: () => link.inFlight,
    close: async () => {
      forget();
      streams.end();
      await link.close();
      observed.forget();
      grpc.close();
    },
  };
}

/** Plain gRPC calls, one HTTP/2 stream each. Connects on the first call. */
export function connectUnary<S extends DescService>(service: S, o: ConnectOptions): Client<S> & Connection {
  const grpc = new LastingChannel(o);
  const calls = new Set<Promise<unknown>>();
  const streams = new AnswerStreams(grpc);
  const forgetCertificates = onNewCertificates(o.tls, () => {
    grpc.renew(Promise.allSettled(calls));
    streams.end();
  });
  let isClosed = false;
  const send = unaryCall(grpc);
  const tracked: CallUnary = (method, request, options) => {
    if (isClosed) return Promise.reject(new AppError("unavailable", "the client is closed", { work: "not_done" }));
    const call = send(method, request, options);
    calls.add(call);
    const forget = () => calls.delete(call);
    call.then(forget, forget);
    return call;
  };
  return {
    ...bindMethods(service, tracked, streams),
    close: async () => {
      isClosed = true;
      forgetCertificates();
      streams.end();
      // Every unary call has a deadline, so this ends.
      await Promise.allSettled(calls);
      grpc.close();
    },
  };
}

function onNewCertificates(tls: TlsSetting, renew: () => void): () => void {
  return (tls.kind === "mutual" ? tls.onChange?.(renew) : undefined) ?? (() => {});
}

/** The cast is safe: every method of the descriptor is bound to a function of its own kind. */
function bindMethods<S extends DescService>(service: S, callUnary: CallUnary, streams: AnswerStreams): Client<S> {
  const bound: Record<string, unknown> = {};
  for (const method of service.methods) {
    bound[method.localName] =
      method.methodKind === "unary"
        ? (request: LooseInit, options: CallOptions) => rejecting(method, () => callUnary(method, request, options))
        : (request: LooseInit, options: StreamOptions) => streams.call(method, request, options);
  }
  return bound as Client<S>;
}

/** A request that is no such message is the caller's bug; it gets a rejection like any other fault, nothing was sent. */
function rejecting<T>(method: DescMethod, call: () => Promise<T>): Promise<T> {
  try {
    return call();
  } catch (cause) {
    return Promise.reject(new AppError("internal", `the request of ${methodName(method)} cannot be encoded`, { work: "not_done", cause }));
  }
}

function framedCall(link: FrameLink): CallUnary {
  const methods = new Map<DescMethod, LinkMethod<MessageShape<DescMessage>, MessageShape<DescMessage>>>();
  return (method, request, options) => {
    let linked = methods.get(method);
    if (linked === undefined) {
      const { output } = method;
      linked = { name: methodName(method), encoder: createBatchEncoder(method.input), decode: (body) => fromBinary(output, body) };
      methods.set(method, linked);
    }
    return link.call(linked, create(method.input, request), options);
  };
}

function unaryCall(grpc: LastingChannel): CallUnary {
  return (method, request, options) => {
    if (options.timeoutMs < 1) return Promise.reject(new AppError("deadline_exceeded", "no time left", { work: "not_done" }));
    if (options.signal?.aborted === true) return Promise.reject(new AppError("cancelled", "the caller gave up", { work: "not_done" }));
    const body = asBuffer(toBinary(method.input, create(method.input, request)));
    const deadline: GrpcCallOptions = { deadline: Date.now() + Math.min(options.timeoutMs, timeoutMsMax) };
    return new Promise((resolve, reject) => {
      const onAbort = () => call.cancel();
      const call = grpc.client.makeUnaryRequest(
        pathOf(method),
        asIs,
        asIs,
        body,
        metadataOf(options.traceparent),
        deadline,
        (error, answer) => {
          options.signal?.removeEventListener("abort", onAbort);
          if (error !== null) return reject(fromStatus(error));
          try {
            resolve(fromBinary(method.output, bytesOf(answer ?? Buffer.alloc(0))));
          } catch (cause) {
            reject(new AppError("internal", `the answer of ${method.name} cannot be read`, { work: "unknown", cause }));
          }
        },
      );
      options.signal?.addEventListener("abort", onAbort, { once: true });
    });
  };
}
