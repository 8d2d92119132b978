/** A merchant's HTTP client: keeps connections, gives up after a while, and throws nothing: no answer is an answer too. */
import { Agent, request } from "node:http";
import type { RawAnswer } from "./call.ts";

const connectionsMax = 2_048;

export type MerchantClientOptions = {
  readonly edgeUrl: string;
  readonly secretKey: string;
  /** A merchant does not wait longer for one answer. Whatever it asked for may still happen. */
  readonly timeoutMs: number;
};

type Request = { readonly method: "GET" | "POST"; readonly path: string; readonly key?: string; readonly body?: string };

export class MerchantClient {
  readonly #o: MerchantClientOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });

  constructor(o: MerchantClientOptions) {
    this.#o = o;
  }

  send(one: Request): Promise<RawAnswer> {
    const startedAtMs = performance.now();
    const none = (): RawAnswer => ({
      startedAtMs,
      endedAtMs: performance.now(),
      status: 0,
      isReplay: false,
      retryAfterMs: undefined,
      text: "",
    });
    return new Promise((resolve) => {
      const { edgeUrl, secretKey, timeoutMs } = this.#o;
      const headers: Record<string, string | number> = { authorization: `Bearer ${secretKey}` };
      if (one.body !== undefined) {
        headers["content-type"] = "application/json";
        headers["content-length"] = Buffer.byteLength(one.body);
      }
      if (one.key !== undefined) headers["idempotency-key"] = one.key;
      const sent = request(edgeUrl + one.path, { method: one.method, agent: this.#agent, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          text += part;
        });
        response.once("end", () => {
          clearTimeout(timer);
          const retryAfter = response.headers["retry-after"];
          resolve({
            startedAtMs,
            endedAtMs: performance.now(),
            status: response.statusCode ?? 0,
            isReplay: response.headers["idempotent-replayed"] === "true",
            retryAfterMs: retryAfter === undefined ? undefined : Number(retryAfter) * 1_000,
            text,
          });
        });
        response.once("error", () => resolve(none()));
        response.once("aborted", () => resolve(none()));
      });
      const timer = setTimeout(() => sent.destroy(new Error("no answer in time")), timeoutMs);
      sent.once("error", () => {
        clearTimeout(timer);
        resolve(none());
      });
      sent.end(one.body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
