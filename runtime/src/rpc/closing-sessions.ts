/**
 * A connection that is closed gracefully finishes what it carries, also when one of grpc-js's pings falls due meanwhile.
 *
 * Why: Node sends no ping over an HTTP/2 session that is closing (it has sent or got a GOAWAY) and returns nothing instead of true; grpc-js 1.14 takes that
 * for a dead connection and cuts it, and what was in flight has an unknown outcome (grpc/grpc-node issue 3068, and the server's side does the same).
 * Here such a ping counts as answered, for as long as a call may last. After that nothing is left that anybody waits for, and a peer that fell silent
 * while the connection closed would never be noticed: then grpc-js may cut.
 *
 * The channels that sessions are found by are in Node from 24.2 and 22.17 on; before, nothing is spared.
 */
import { subscribe } from "node:diagnostics_channel";
import type { Http2Session, Http2Stream } from "node:http2";
import { timeoutMsMax } from "../frames/index.ts";

/** No call lasts longer; a moment more, so that it ends by its own deadline. */
const sparedMs = timeoutMsMax + 5_000;

type Ping = (payload: Buffer | PingCallback, callback?: PingCallback) => boolean;
type PingCallback = (error: Error | null, durationMs: number, payload: Buffer) => void;

const seen = new WeakSet<Http2Session>();
let isWatching = false;

/** From the first call on: sessions of this process, of clients and servers, as soon as they carry a stream. Safe to repeat. */
export function sparePingsOfClosingSessions(): void {
  if (isWatching) return;
  isWatching = true;
  for (const channel of ["http2.client.stream.created", "http2.server.stream.created"])
    subscribe(channel, (message) => spare((message as { readonly stream: Http2Stream }).stream.session));
}

function spare(session: Http2Session | undefined): void {
  if (session === undefined || seen.has(session)) return;
  seen.add(session);
  const ping = session.ping.bind(session) as Ping;
  let closingSinceMs: number | undefined;
  const isSpared = (): boolean => {
    if (!session.closed || session.destroyed) return false;
    closingSinceMs ??= performance.now();
    return performance.now() - closingSinceMs < sparedMs;
  };
  const spared: Ping = (payload, callback) => {
    if (!isSpared()) return callback === undefined ? ping(payload) : ping(payload, callback);
    const answered = typeof payload === "function" ? payload : callback;
    if (answered !== undefined) process.nextTick(answered, null, 0, Buffer.alloc(0));
    return true;
  };
  session.ping = spared as Http2Session["ping"];
}
