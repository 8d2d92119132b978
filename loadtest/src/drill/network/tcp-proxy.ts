/**
 * A TCP proxy that is the network between two of our processes, with weather on command.
 *
 * It knows bytes, not what they mean: TLS goes through it untouched. Chances come from the random numbers that it is given. When `half_open`
 * is over, the connections that went through it are reset: whoever still believes in one learns now that nobody is there.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { between, type Random } from "../random.ts";
import { Flow } from "./flow.ts";
import { clear, type Weather } from "./weather.ts";

export type TcpProxyOptions = { readonly targetHost: string; readonly targetPort: number; readonly random: Random };

type Pair = { readonly client: Socket; readonly server: Socket; readonly flows: readonly [Flow, Flow]; bytesLeft: number };

export class TcpProxy {
  readonly #o: TcpProxyOptions;
  readonly #listener: Server;
  readonly #pairs = new Set<Pair>();
  #weather: Weather = clear;

  private constructor(o: TcpProxyOptions) {
    this.#o = o;
    // `allowHalfOpen`: an end is passed on by the flow, when the weather lets it.
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** Listens on a free port of the loopback address. */
  static async start(o: TcpProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(o);
    await new Promise<void>((resolve, reject) => {
      proxy.#listener.once("error", reject);
      proxy.#listener.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.#listener.address();
    if (address === null || typeof address === "string") throw new Error("the proxy does not listen");
    return address.port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** From now on, for living connections and new ones. */
  set(weather: Weather): void {
    const before = this.#weather;
    this.#weather = weather;
    for (const pair of [...this.#pairs]) {
      if (weather.kind === "cut" || (before.kind === "half_open" && weather.kind !== "half_open")) this.#reset(pair);
      else {
        pair.bytesLeft = this.#budget();
        for (const flow of pair.flows) flow.wake();
      }
    }
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const pair of [...this.#pairs]) this.#reset(pair);
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#weather.kind === "cut") {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: this.#o.targetHost, port: this.#o.targetPort, noDelay: true, allowHalfOpen: true });
    const { random } = this.#o;
    const common = { weather: () => this.#weather, random, onPassed: (bytes: number) => this.#passed(pair, bytes) };
    const pair: Pair = {
      client,
      server,
      flows: [
        new Flow({ ...common, way: "to_server", source: client, sink: server }),
        new Flow({ ...common, way: "to_client", source: server, sink: client }),
      ],
      bytesLeft: this.#budget(),
    };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      socket.on("error", () => undefined);
      socket.once("close", (hadError) => this.#lost(pair, hadError));
    }
  }

  #budget(): number {
    return this.#weather.kind === "reset" ? between(this.#o.random, 1, this.#weather.bytesMax) : Number.POSITIVE_INFINITY;
  }

  #passed(pair: Pair, bytes: number): void {
    pair.bytesLeft -= bytes;
    if (pair.bytesLeft <= 0) this.#reset(pair);
  }

  /** One side is gone. On a link that is silent the other side does not learn it before the weather changes. */
  #lost(pair: Pair, hadError: boolean): void {
    if (this.#weather.kind === "half_open") return;
    if (hadError || (pair.client.destroyed && pair.server.destroyed)) this.#reset(pair);
  }

  #reset(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    for (const flow of pair.flows) flow.stop();
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
  }
}
