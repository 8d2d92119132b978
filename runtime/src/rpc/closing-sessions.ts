/**
 * A connection that is closed gracefully finishes what it carries, also when one of grpc-js's pings falls due meanwhile.
 *
 * Why: Node sends no ping over an HTTP/2 session that is closing (it has sent or got a GOAWAY) and says so by returning nothing; grpc-js 1.14 takes that for
 * a dead connection and cuts it, and what was in flight has an unknown outcome (grpc/grpc-node issue 3068, and the server's side does the same). Here
 * such a ping counts as answered. Nobody waits without end for that: every call has a deadline, and a drain its time-out.
 */
import { subscribe } from "node:diagnostics_channel";
import type { Http2Session, Http2Stream } from "node:http2";

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
  const spared: Ping = (payload, callback) => {
    if (!session.closed || session.destroyed) return callback === undefined ? ping(payload) : ping(payload, callback);
    const answered = typeof payload === "function" ? payload : callback;
    if (answered !== undefined) process.nextTick(answered, null, 0, Buffer.alloc(0));
    return true;
  };
  session.ping = spared as Http2Session["ping"];
}
