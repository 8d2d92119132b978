/**
 * simlater's callbacks: signed POSTs to the caller, repeated until one of them is answered with 2xx.
 *
 * The signature is HMAC-SHA256 over `<time>.<body>` in hex, `x-later-time` is Unix seconds, `x-later-key` names the key. Events that wait
 * are lost when the process ends, as in life: the caller can always ask.
 */
import { createHmac, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Secret } from "@florin/kernel";
import type { Logger } from "@florin/runtime/telemetry";

export type CallbackOptions = {
  readonly url: string;
  readonly keyId: string;
  readonly key: Secret;
  readonly logger: Logger;
};

export type CallbackEvent = { readonly eventId: string; readonly report: { readonly orderRef: string } };

/** One event on its way: the answers that it got so far, 0 for none. */
export type Delivery = { readonly eventId: string; readonly orderRef: string; readonly isForged: boolean; readonly statuses: number[] };

export type Callbacks = {
  /** Sends after `delayMs`; again with growing pauses while the answer is not 2xx. A forged one is sent once. Never rejects. */
  send(event: CallbackEvent, o: { readonly delayMs: number; readonly isForged: boolean }): Promise<void>;
  /** The latest of this order, oldest first. */
  deliveriesOf(orderRef: string): readonly Delivery[];
  /** Lets go of what waits. */
  close(): void;
};

const triesMax = 8;
const pauseMsMin = 250;
const pauseMsMax = 5_000;
const answerTimeoutMs = 5_000;
const underwayMax = 16_384;
const rememberedMax = 10_000;

export function newEventId(): string {
  return `sle_${randomBytes(12).toString("hex")}`;
}

export function createCallbacks(options: CallbackOptions): Callbacks {
  const ending = new AbortController();
  const remembered: Delivery[] = [];
  let underway = 0;

  async function deliver(event: CallbackEvent, o: { readonly delayMs: number; readonly isForged: boolean }): Promise<void> {
    const delivery: Delivery = { eventId: event.eventId, orderRef: event.report.orderRef, isForged: o.isForged, statuses: [] };
    remembered.push(delivery);
    if (remembered.length > rememberedMax) remembered.shift();
    await pause(o.delayMs, ending.signal);
    for (let tries = 0; tries < (o.isForged ? 1 : triesMax) && !ending.signal.aborted; tries++) {
      if (tries > 0) await pause(Math.min(pauseMsMin * 2 ** (tries - 1), pauseMsMax), ending.signal);
      const status = await post(options, event, { isForged: o.isForged, ending: ending.signal });
      delivery.statuses.push(status);
      if (status >= 200 && status < 300) return;
    }
  }

  return {
    async send(event, o) {
      if (underway >= underwayMax) {
        options.logger.warn("too many callbacks wait: one is not sent");
        return;
      }
      underway += 1;
      await deliver(event, o).finally(() => {
        underway -= 1;
      });
    },
    deliveriesOf: (orderRef) => remembered.filter((one) => one.orderRef === orderRef),
    close: () => ending.abort(),
  };
}

/** The status of the answer, 0 when there was none. */
async function post(
  { url, keyId, key }: CallbackOptions,
  event: CallbackEvent,
  { isForged, ending }: { readonly isForged: boolean; readonly ending: AbortSignal },
): Promise<number> {
  const body = JSON.stringify(event);
  const time = String(Math.floor(Date.now() / 1_000));
  const signature = createHmac("sha256", isForged ? "a forger's" : key.expose())
    .update(`${time}.${body}`)
    .digest("hex");
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-later-key": keyId, "x-later-time": time, "x-later-signature": signature },
      body,
      signal: AbortSignal.any([ending, AbortSignal.timeout(answerTimeoutMs)]),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal, ref: false }).catch(() => {});
}
