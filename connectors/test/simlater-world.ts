/** simlater in the real simulator, a connector to it, and the receiver that it calls back to. */
import { randomBytes } from "node:crypto";
import { makeId, Secret } from "@florin/kernel";
import { freePort } from "@florin/runtime/testing";
import { createNews, type Item } from "../src/callbacks/news.ts";
import { type CallbackResult, type Receiver, startReceiver } from "../src/callbacks/receiver.ts";
import type { AuthorizeCommand, Connector } from "../src/contract/connector.ts";
import { createSimlater, type SimlaterOptions } from "../src/simlater/simlater.ts";
import { type SimulatorProcess, simlaterApiKey, startSimulator } from "./start-simulator.ts";

export const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));
export const callbackKeyId = "simlater-1";

export type SimlaterWorld = {
  readonly simulator: SimulatorProcess;
  readonly connector: Connector;
  readonly receiver: Receiver;
  readonly callbackKeyHex: string;
  readonly callbackUrl: string;
  /** What became of callbacks so far, oldest first. */
  readonly results: readonly CallbackResult[];
  readonly unawaited: readonly Item[];
  connectTo(url: string, change?: Partial<SimlaterOptions>): Connector;
  /** The connector's process ends and another begins at the same address. */
  restart(): Promise<Connector>;
  fail(reference: string, fault: string, delayMs?: number): Promise<void>;
  effects(reference: string): Promise<number>;
  callbacksOf(reference: string): Promise<readonly { readonly forged: boolean; readonly statuses: readonly number[] }[]>;
  stop(): Promise<void>;
};

export const receiverLimits = { bodySizeBytesMax: 4_096, requestTimeoutMs: 1_000, refusedPerSecondMax: 1_000, eventsRememberedMax: 1_000 };

export function command(change: Partial<AuthorizeCommand> = {}): AuthorizeCommand {
  return {
    reference: newId("attempt"),
    merchantId: newId("merchant"),
    paymentId: newId("payment"),
    merchantReference: "",
    amount: 1_000n,
    currency: "EUR",
    capture: false,
    ...change,
  };
}

/** `askAfterMs`: longer than a test waits, where it is about callbacks alone. */
export async function startSimlaterWorld(askAfterMs: number): Promise<SimlaterWorld> {
  const port = await freePort();
  const callbackKeyHex = randomBytes(32).toString("hex");
  const callbackUrl = `http://127.0.0.1:${port}/callbacks/simlater`;
  const simulator = await startSimulator({ simlater: { callbackUrl, callbackKeyHex } });
  const connectTo = (url: string, change: Partial<SimlaterOptions> = {}) =>
    createSimlater({
      url: new URL(url),
      apiKey: new Secret(Buffer.from(simlaterApiKey)),
      callbackKeys: new Map([[callbackKeyId, new Secret(Buffer.from(callbackKeyHex, "hex"))]]),
      callbackToleranceMs: 300_000,
      askAfterMs,
      connectionsMax: 32,
      waitingMax: 64,
      connectTimeoutMs: 1_000,
      ...change,
    });
  const results: CallbackResult[] = [];
  const unawaited: Item[] = [];
  const news = createNews(16);
  const receive = (connector: Connector) =>
    startReceiver({
      host: "127.0.0.1",
      port,
      connectors: new Map([[connector.name, connector]]),
      ...receiverLimits,
      onUnawaited: (item) => {
        unawaited.push(item);
        news.publish(item);
      },
      onResult: (_connector, result) => results.push(result),
      onFault: (thrown) => {
        throw thrown;
      },
    });
  let connector = connectTo(simulator.url);
  let receiver = await receive(connector);
  return {
    simulator,
    callbackKeyHex,
    callbackUrl,
    results,
    unawaited,
    connectTo,
    get connector() {
      return connector;
    },
    get receiver() {
      return receiver;
    },
    async restart() {
      await receiver.close();
      connector = connectTo(simulator.url);
      receiver = await receive(connector);
      return connector;
    },
    fail: async (reference, fault, delayMs) => {
      const delay = delayMs === undefined ? {} : { delay_ms: delayMs };
      const rule = await simulator.call("POST", "/admin/rules", { fault, match: { reference_prefix: reference }, times: 1, ...delay });
      if (rule["id"] === undefined) throw new Error(`there is no fault ${fault}`);
    },
    effects: async (reference) => Number((await simulator.call("GET", `/admin/books/charges?reference=${reference}`))["count"]),
    callbacksOf: async (reference) =>
      (await simulator.call("GET", `/admin/callbacks?reference=${reference}`))["callbacks"] as {
        forged: boolean;
        statuses: number[];
      }[],
    async stop() {
      await connector.close();
      await receiver.close();
      await simulator.stop();
    },
  };
}
