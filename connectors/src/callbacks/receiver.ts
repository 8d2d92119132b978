/**
 * Where processors call back: `POST /callbacks/<connector>`. Everybody can reach it who can reach the port, so nothing is believed that
 * does not carry the processor's signature, and everything is bounded: connections, head, body, time, and per address what is refused.
 *
 * 2xx says that the event was handled: a call that waited for it has it, or whoever follows the news. An event that was handled before is
 * 200 again. Anything else is sent again by the processor, or found by asking it; money never hangs on a callback.
 *
 * Not here: TLS, which ends in front of this port, as it does at the vault's. No card number comes this way.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createKeyedBuckets, networkOf } from "@florin/runtime/rate-limit";
import type { Connector } from "../contract/connector.ts";

export type CallbackResult = "taken" | "unawaited" | "repeated" | "malformed" | "signature_wrong" | "time_wrong" | "too_large" | "too_many";

export type ReceiverOptions = {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** By registry name; those without `readCallback` have no path here. */
  readonly connectors: ReadonlyMap<string, Connector>;
  readonly bodySizeBytesMax: number;
  /** From the first byte of a request to its last, ms. */
  readonly requestTimeoutMs: number;
  /**
   * Refused callbacks of one address before it has to wait, for each name of a key that is known, and for all without one. Those with a right signature
   * do not count.
   */
  readonly refusedPerSecondMax: number;
  /** Ids of events that were handled. */
  readonly eventsRememberedMax: number;
  readonly onUnawaited: (item: { readonly connector: string; readonly reference: string }) => void;
  readonly onResult: (connector: string, result: CallbackResult) => void;
  /** A bug: the processor is not answered and sends the event again. */
  readonly onFault: (thrown: unknown) => void;
};

export type Receiver = { readonly port: number /** Answers what is in flight, then closes. */; close(): Promise<void> };

const connectionsMax = 512;
const headSizeBytesMax = 8_192;
const pathPattern = /^\/callbacks\/([a-z0-9_]{1,40})$/;
const addressesMax = 10_000;
const closeTimeoutMs = 5_000;

const statuses: Readonly<Record<CallbackResult, number>> = {
  taken: 200,
  unawaited: 200,
  repeated: 200,
  malformed: 400,
  signature_wrong: 401,
  time_wrong: 401,
  too_large: 413,
  too_many: 429,
};

export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { requestTimeoutMs, refusedPerSecondMax } = options;
  const handled = new RecentEvents(options.eventsRememberedMax);
  const rate = { burst: refusedPerSecondMax, perSecond: refusedPerSecondMax };
  const buckets = createKeyedBuckets({ rate, namesMax: addressesMax, now: Date.now });
  const server = createServer(
    {
      requestTimeout: requestTimeoutMs,
      headersTimeout: requestTimeoutMs,
      keepAliveTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs),
      maxHeaderSize: headSizeBytesMax,
    },
    (request, response) => {
      const connector = options.connectors.get(pathPattern.exec(request.url ?? "")?.[1] ?? "");
      if (connector?.readCallback === undefined || request.method !== "POST") {
        end(request, response, 404);
        return;
      }
      const headers = singleHeaders(request);
      // All may come from the one address of a proxy. Who names a key of ours does not wait for strangers.
      const sender = `${networkOf(request.socket.remoteAddress ?? "")} ${connector.callbackSender?.(headers) ?? ""}`;
      const isRefusedTooOften = () => {
        const waitMs = buckets.take(sender);
        if (waitMs === 0) buckets.giveBack(sender);
        return waitMs > 0;
      };
      receive(options, { connector, request, headers, handled, isRefusedTooOften }).then(
        (result) => {
          // Counted when it is refused, so that many signed ones at once never look like an attack.
          if (statuses[result] >= 400) buckets.take(sender);
          options.onResult(connector.name, result);
          end(request, response, statuses[result]);
        },
        (thrown: unknown) => {
          // The sender is gone, or was too slow: there is nobody to answer. Anything else is a bug of ours, and comes again.
          if (request.complete) options.onFault(thrown);
          response.destroy();
        },
      );
    },
  );
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        const cutter = setTimeout(() => server.closeAllConnections(), closeTimeoutMs);
        server.close(() => {
          clearTimeout(cutter);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

type Incoming = {
  readonly connector: Connector;
  readonly request: IncomingMessage;
  readonly headers: ReadonlyMap<string, string>;
  readonly handled: RecentEvents;
  readonly isRefusedTooOften: () => boolean;
};

async function receive(options: ReceiverOptions, incoming: Incoming): Promise<CallbackResult> {
  const { connector, request, headers, handled } = incoming;
  if (incoming.isRefusedTooOften()) return "too_many";
  const body = await readBody(request, options.bodySizeBytesMax);
  if (body === undefined) return "too_large";
  const reading = connector.readCallback?.({ headers, body, nowMs: Date.now() });
  if (reading === undefined || reading.kind === "refused") return reading?.why ?? "malformed";
  const { eventId, reference, take } = reading;
  const event = `${connector.name} ${eventId}`;
  if (handled.has(event)) return "repeated";
  const isTaken = take();
  if (!isTaken) options.onUnawaited({ connector: connector.name, reference });
  // Not before: where handling it fails, the processor is told and sends it again.
  handled.add(event);
  return isTaken ? "taken" : "unawaited";
}

/** Undefined when it is longer than `bytesMax`: the rest is not read. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** Of a header that came twice nobody can tell which one was meant. */
function singleHeaders({ headersDistinct }: IncomingMessage): ReadonlyMap<string, string> {
  const single = new Map<string, string>();
  for (const [name, values] of Object.entries(headersDistinct))
    if (values?.length === 1 && values[0] !== undefined) single.set(name, values[0]);
  return single;
}

function end(request: IncomingMessage, response: ServerResponse, status: number): void {
  // A body that was not read would be taken for the next request.
  const connection = request.complete ? {} : { connection: "close" };
  const wait = status === 429 ? { "retry-after": "1" } : {};
  response.writeHead(status, { "content-length": 0, "cache-control": "no-store", ...connection, ...wait });
  response.end();
}

/** The latest ids, `countMax` of them. */
class RecentEvents {
  readonly #countMax: number;
  readonly #ids = new Set<string>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(id: string): void {
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > this.#countMax && oldest !== undefined) this.#ids.delete(oldest);
  }
}
