export type { CallContext, CallOptions } from "../frames/index.ts";
export { type CallerPolicy, insecurePeer } from "./caller-policy.ts";
export {
  type Connection,
  type ConnectOptions,
  connectFramed,
  connectUnary,
  type FramedConnection,
  openFrameLink,
  type SharedLink,
} from "./connect.ts";
export { type Client, type Handlers, implement, type ServiceImplementation, type StreamOptions } from "./service.ts";
export { type RpcServer, type RpcServerOptions, startRpcServer } from "./start-rpc-server.ts";
