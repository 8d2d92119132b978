import { createServer, type Server } from "node:net";

/**
 * Nobody listens here, and nobody begins to while a test runs: the port is the system's own (compressnet, RFC 6335), out of use, and none that
 * the fetch standard refuses. For peers that cannot be reached; a free port may be a server's a moment later.
 */
export const portOfNobody = 2;

/** Systems take the local ends of outgoing connections, and the ports of servers that asked for any, from above here. */
const ephemeralPortMin = 32_768;
/** Behind 10080, which the fetch standard refuses. */
const firstPort = 10_112;
/** A slice belongs to one process: what it has been given and has not bound yet is nobody else's either. */
const portsOfSlice = 128;
const sliceCount = Math.floor((ephemeralPortMin - firstPort) / portsOfSlice);

/** Each holds the first port of a slice, for as long as this process lives. */
const claims: Server[] = [];
let unused: Iterator<number> = [][Symbol.iterator]();

/**
 * A TCP port on 127.0.0.1 that is free, and that neither this process nor another one that lives has been given before. As of `freePortBlock`, nobody's
 * outgoing connection takes it: a server has it again after a restart.
 */
export async function freePort(): Promise<number> {
  for (let next = unused.next(); next.done !== true; next = unused.next()) if (await isFree(next.value)) return next.value;
  const first = await claimSlice(() => Promise.resolve(true));
  unused = Array.from({ length: portsOfSlice - 1 }, (_, n) => first + n).values();
  return freePort();
}

/**
 * The first of `count` (1 to 127) ports in a row that are free on 127.0.0.1 and nobody else is given, for servers that are started, and perhaps
 * started again: below the range that outgoing connections take theirs from, so that none of those is in the way by then.
 */
export async function freePortBlock(count: number): Promise<number> {
  if (count >= portsOfSlice) throw new RangeError(`${count} ports in a row, at most ${portsOfSlice - 1}`);
  return claimSlice(async (first) => (await Promise.all(Array.from({ length: count }, (_, n) => isFree(first + n)))).every(Boolean));
}

/** The first usable port of a slice that is this process's from here on, and of which `suits` says true. Which one differs from process to process. */
async function claimSlice(suits: (first: number) => Promise<boolean>): Promise<number> {
  const start = process.pid + claims.length;
  for (let n = 0; n < sliceCount; n++) {
    const claimed = firstPort + ((start + n) % sliceCount) * portsOfSlice;
    const claim = await listenOn(claimed);
    if (claim === undefined) continue;
    if (await suits(claimed + 1)) {
      claim.unref();
      claims.push(claim);
      return claimed + 1;
    }
    claim.close();
  }
  throw new Error("no free ports in a row");
}

async function isFree(port: number): Promise<boolean> {
  const server = await listenOn(port);
  if (server === undefined) return false;
  return new Promise((resolve) => server.close(() => resolve(true)));
}

function listenOn(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(server));
  });
}
