export { asIsEncoder, type BodyEncoder, createBatchEncoder } from "./batch-encoder.ts";
export { bytesOf } from "./codec.ts";
export type { CallContext } from "./context.ts";
export { fromFault, toFault } from "./fault.ts";
export { commandsInFlightDefault, messageBytesMax, timeoutMsMax } from "./limits.ts";
export { type CallOptions, FrameLink, type LinkMethod, type LinkOptions } from "./link.ts";
export { createSecretEncoder } from "./secret-encoder.ts";
export { type FramedMethod, ServerExchange, type ServerExchangeOptions } from "./server-exchange.ts";
