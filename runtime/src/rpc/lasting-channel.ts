/**
 * A grpc-js channel that is replaced when it cannot get through: a fresh one connects from scratch.
 *
 * Why: grpc-js 1.14 gives no connection attempt a time limit, and an attempt may never end. A peer that falls silent between its handshake and its first
 * HTTP/2 frame is waited for without bound; and after a reset in that moment Node's HTTP/2 session closes its socket and tells nobody, so that the channel
 * stays "connecting" for ever, without a socket, while the peer is long back (test/lasting-channel.test.ts shows both).
 *
 * What waits on a channel that is replaced ends: commands of a frame link are `unavailable` meanwhile, unary calls `peer_lost` (the status does not tell that
 * nothing of them was sent). Calls that had left go on where they are.
 */
import { type ChannelOptions, type Client, connectivityState } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { type ChannelTarget, openChannel } from "./channel.ts";

const lookEveryMs = 250;
/** How long one channel may try: a handshake takes four round trips. It doubles from channel to channel, for peers that are only slow. */
export const patienceMsMin = 3_000;
export const patienceMsMax = 8_000;

export class LastingChannel {
  readonly #open: () => Client;
  readonly #address: string;
  readonly #logger: Logger;
  readonly #watch: NodeJS.Timeout;
  #client: Client;
  #patienceMs = patienceMsMin;
  /** On the scale of performance.now(); undefined while it is connected or has nothing to do. */
  #tryingSinceMs: number | undefined;

  constructor(o: ChannelTarget & { readonly logger: Logger }, options: ChannelOptions = {}) {
    this.#open = () => openChannel(o, options);
    this.#address = o.address;
    this.#logger = o.logger;
    this.#client = this.#open();
    this.#watch = setInterval(() => this.#look(), lookEveryMs);
    this.#watch.unref();
  }

  /** For one call: another call may get another one. */
  get client(): Client {
    return this.#client;
  }

  /**
   * What is new leaves on a new connection, with the newest certificates; calls that had left are answered where they are. One that waits for a
   * connection yet would end with the old channel: `after` holds it open until then.
   */
  renew(after?: Promise<unknown>): void {
    this.#tryingSinceMs = undefined;
    const given = this.#client;
    this.#client = this.#open();
    if (after === undefined) given.close();
    else void after.then(() => given.close());
  }

  /** Calls that had left are answered still. Safe to repeat. */
  close(): void {
    clearInterval(this.#watch);
    this.#client.close();
  }

  #look(): void {
    const state = this.#client.getChannel().getConnectivityState(false);
    if (state === connectivityState.READY) this.#patienceMs = patienceMsMin;
    if (state === connectivityState.READY || state === connectivityState.IDLE) {
      this.#tryingSinceMs = undefined;
      return;
    }
    const nowMs = performance.now();
    this.#tryingSinceMs ??= nowMs;
    if (nowMs - this.#tryingSinceMs < this.#patienceMs) return;
    this.#logger.warn({ address: this.#address, tried_ms: Math.round(nowMs - this.#tryingSinceMs) }, "still not connected, trying anew");
    this.#patienceMs = Math.min(2 * this.#patienceMs, patienceMsMax);
    this.renew();
  }
}
