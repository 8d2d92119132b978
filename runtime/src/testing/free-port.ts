import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** A TCP port on 127.0.0.1 that was free a moment ago. Another process may take it first: callers start their server at once. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

/** Systems take the local ends of outgoing connections from above here. */
const ephemeralPortMin = 32_768;
const blockPortMin = 10_000;
const blockTriesMax = 100;

/**
 * The first of `count` ports in a row that are free on 127.0.0.1, for a group of servers that start one after the other: below the range that
 * outgoing connections take theirs from, so that none of those is in the way by then.
 */
export async function freePortBlock(count: number): Promise<number> {
  for (let tries = 0; tries < blockTriesMax; tries++) {
    const first = randomInt(blockPortMin, ephemeralPortMin - count);
    const ports = Array.from({ length: count }, (_, n) => first + n);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first;
  }
  throw new Error(`no ${count} free ports in a row`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
