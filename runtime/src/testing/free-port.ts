import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Nobody listens here, and nobody begins to while a test runs: the port is the system's own (compressnet, RFC 6335), out of use, and none that
 * the fetch standard refuses. For peers that cannot be reached; a free port may be a server's a moment later.
 */
export const portOfNobody = 2;

/** Systems take the local ends of outgoing connections, and the ports of servers that asked for any, from above here. */
const ephemeralPortMin = 32_768;
/** Single ports come from below the blocks: a block is taken by servers that start one after the other, for seconds. */
const singlePortMin = 10_000;
const blockPortMin = 15_000;
const triesMax = 100;
const given = new Set<number>();

/**
 * A TCP port on 127.0.0.1 that was free a moment ago, and that this process has not been given before. As of `freePortBlock`, nobody's outgoing
 * connection takes it: a server has it again after a restart.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = randomInt(singlePortMin, blockPortMin);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error("no free port");
}

/**
 * The first of `count` ports in a row that are free on 127.0.0.1, for servers that are started, and perhaps started again: below the range that
 * outgoing connections take theirs from, so that none of those is in the way by then.
 */
export async function freePortBlock(count: number): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
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
