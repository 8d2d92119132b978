/**
 * A service as its owner writes it: one function per method, messages in, messages out. Unary calls and frames enter the same function.
 */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { AppError, assert } from "@florin/kernel";
import {
  type BodyEncoder,
  type CallContext,
  type CallOptions,
  createBatchEncoder,
  createSecretEncoder,
  type FramedMethod,
} from "../frames/index.ts";

type Handler<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: CallContext) => AsyncIterable<MessageInitShape<O>>
      : never;

/** One function per method of S, by its name in lower camel case. Throw AppError for operating faults; anything else is logged as a bug. */
export type Handlers<S extends DescService> = { readonly [N in keyof S["method"]]: Handler<S["method"][N]> };

/** How a server-streaming call ends early. It may also end without an error when nobody aborted it, as when certificates are renewed: ask anew. */
export type StreamOptions = { readonly signal: AbortSignal; readonly traceparent?: string };

type Caller<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options: CallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options: StreamOptions) => AsyncIterable<MessageShape<O>>
      : never;

/** The calling side of a service. Faults arrive as AppError with the peer's code and work. */
export type Client<S extends DescService> = { readonly [N in keyof S["method"]]: Caller<S["method"][N]> };

export type UnaryEntry = FramedMethod & { readonly kind: "unary"; readonly name: string };
export type StreamingEntry = {
  readonly kind: "server_streaming";
  readonly name: string;
  readonly run: (body: Uint8Array, context: CallContext) => AsyncIterable<Uint8Array>;
};
export type MethodEntry = UnaryEntry | StreamingEntry;

/** What `startRpcServer` takes. Made by `implement` only. */
export type ServiceImplementation = { readonly service: DescService; readonly methods: readonly MethodEntry[] };

// The handlers' types were checked by `implement`; past it they are used through their methods' descriptors.
type LooseUnary = (request: MessageShape<DescMessage>, context: CallContext) => Promise<MessageInitShape<DescMessage>>;
type LooseStreaming = (request: MessageShape<DescMessage>, context: CallContext) => AsyncIterable<MessageInitShape<DescMessage>>;

/**
 * Binds handlers to a service. The bytes of answer fields that the proto marks `debug_redact` are wiped once they are encoded, so a handler answers
 * with bytes of their own. Throws when a method has no handler or is client-streaming (we have none). */
export function implement<S extends DescService>(service: S, handlers: Handlers<S>): ServiceImplementation {
  const loose = handlers as Record<string, LooseUnary | LooseStreaming | undefined>;
  const methods = service.methods.map((method) => {
    const handler = loose[method.localName];
    assert(handler !== undefined, `${service.typeName} has a handler for ${method.localName}`);
    return entryOf(method, handler.bind(handlers) as LooseUnary | LooseStreaming);
  });
  return { service, methods };
}

function entryOf(method: DescMethod, handler: LooseUnary | LooseStreaming): MethodEntry {
  const name = methodName(method);
  if (method.methodKind === "unary") return unaryEntry(method, handler as LooseUnary);
  assert(method.methodKind === "server_streaming", `${name} is unary or server-streaming`);
  return { kind: "server_streaming", name, run: streamingRun(method, handler as LooseStreaming) };
}

function unaryEntry(method: DescMethod, handler: LooseUnary): UnaryEntry {
  const { input, output } = method;
  return {
    kind: "unary",
    name: methodName(method),
    run: async (body, context) => create(output, await handler(decode(input, body), context)),
    encoder: (createSecretEncoder(output) ?? createBatchEncoder(output)) as BodyEncoder<unknown>,
  };
}

function streamingRun(method: DescMethod, handler: LooseStreaming): StreamingEntry["run"] {
  const { input, output } = method;
  return async function* run(body, context) {
    for await (const message of handler(decode(input, body), context)) yield toBinary(output, create(output, message));
  };
}

/** Throws AppError parameter_invalid (not_done) on bytes that are not such a message. */
function decode<D extends DescMessage>(schema: D, body: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, body);
  } catch (cause) {
    throw new AppError("parameter_invalid", `the body is not a ${schema.typeName}`, { work: "not_done", cause });
  }
}

/** "florin.vault.v1.VaultService/Detokenize", as policies and frames name it. */
export function methodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}
