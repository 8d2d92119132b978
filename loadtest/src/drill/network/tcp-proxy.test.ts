import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seededRandom } from "../random.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { clear } from "./weather.ts";

let server: Server;
let proxy: TcpProxy;
/** What the server has received, over all connections. */
let received = "";
const open = new Set<Socket>();

beforeEach(async () => {
  received = "";
  // Says back what it hears.
  server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      received += bytes.toString();
      socket.write(bytes);
    });
    socket.once("end", () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const targetPort = typeof address === "object" && address !== null ? address.port : 0;
  proxy = await TcpProxy.start({ targetHost: "127.0.0.1", targetPort, random: seededRandom(7) });
});

afterEach(async () => {
  await proxy.close();
  for (const socket of open) socket.destroy();
  open.clear();
  await new Promise((resolve) => server.close(resolve));
});

type Client = { readonly socket: Socket; readonly heard: () => string; readonly ended: Promise<string> };

async function join(): Promise<Client> {
  const socket = connect({ port: proxy.port, host: "127.0.0.1" });
  let text = "";
  socket.on("data", (bytes) => {
    text += bytes.toString();
  });
  const ended = new Promise<string>((resolve) => {
    let code = "";
    socket.on("error", (error: NodeJS.ErrnoException) => {
      code = error.code ?? "";
    });
    socket.once("close", () => resolve(code));
  });
  open.add(socket);
  await new Promise<void>((resolve) => socket.once("connect", resolve).once("close", resolve));
  return { socket, heard: () => text, ended };
}

/** Long enough that a byte which may pass has passed, on any machine that is alive. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 150));

describe("the weather on a link is", () => {
  test("clear: everything passes, in order, and an end is an end", async () => {
    const client = await join();
    const text = "0123456789".repeat(100_000);
    client.socket.end(text);
    expect(await client.ended).toBe("");
    expect(client.heard()).toBe(text);
    await expect.poll(() => proxy.connections).toBe(0);
  });

  test("latency: each way is late, and the order is kept in spite of jitter and loss", async () => {
    proxy.set({ kind: "latency", delayMs: 40, jitterMs: 30, lossRatio: 0.3 });
    const client = await join();
    const startedAtMs = performance.now();
    for (let n = 0; n < 10; n++) {
      client.socket.write(`${n}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await expect.poll(() => client.heard(), { timeout: 5_000 }).toBe("0123456789");
    expect(performance.now() - startedAtMs).toBeGreaterThan(80);
  });

  test("a slow drip: no more than the rate comes through", async () => {
    proxy.set({ kind: "drip", bytesPerSecond: 500 });
    const client = await join();
    const startedAtMs = performance.now();
    client.socket.write("x".repeat(150));
    await expect.poll(() => client.heard().length, { timeout: 5_000 }).toBe(150);
    expect(performance.now() - startedAtMs).toBeGreaterThan(200);
  });

  test("half-open: nothing passes and nothing ends, a new connection is met with silence, and what was there is reset afterwards", async () => {
    const before = await join();
    before.socket.write("a");
    await expect.poll(() => before.heard()).toBe("a");
    proxy.set({ kind: "half_open" });
    const late = await join();
    before.socket.write("b");
    late.socket.write("c");
    // The server goes away, and nobody is told.
    for (const socket of open)
      if (socket.localPort !== before.socket.localPort && socket.localPort !== late.socket.localPort) socket.destroy();
    await quiet();
    expect([received, before.heard(), late.heard(), before.socket.destroyed, late.socket.destroyed]).toEqual(["a", "a", "", false, false]);
    proxy.set(clear);
    expect(await Promise.all([before.ended, late.ended])).toEqual(["ECONNRESET", "ECONNRESET"]);
    expect(received).toBe("a");
  });

  test.each([
    ["to_client", "b"],
    ["to_server", ""],
  ] as const)("one-way, %s silent: the other way passes, and what was held arrives when it is over", async (silent, heardByServer) => {
    const client = await join();
    proxy.set({ kind: "one_way", silent });
    client.socket.write("b");
    await quiet();
    expect([received, client.heard()]).toEqual([heardByServer, ""]);
    proxy.set(clear);
    await expect.poll(() => client.heard()).toBe("b");
    expect(received).toBe("b");
  });

  test("reset: a connection breaks after a number of bytes, also one that was there before", async () => {
    const client = await join();
    proxy.set({ kind: "reset", bytesMax: 1_000 });
    const sender = setInterval(() => client.socket.write("x".repeat(100)), 1);
    expect(await client.ended).toMatch(/ECONNRESET|EPIPE/);
    clearInterval(sender);
    expect(received.length).toBeLessThanOrEqual(1_100);
  });

  test("cut: connections end, new ones do not live, and later there is a link again", async () => {
    const before = await join();
    proxy.set({ kind: "cut" });
    expect(await before.ended).toBe("ECONNRESET");
    const late = await join();
    await late.ended;
    expect([received, proxy.connections]).toEqual(["", 0]);
    proxy.set(clear);
    const after = await join();
    after.socket.write("z");
    await expect.poll(() => after.heard()).toBe("z");
  });
});

test("a target that is not there ends the connection", async () => {
  const nowhere = await TcpProxy.start({ targetHost: "127.0.0.1", targetPort: 1, random: seededRandom(1) });
  const socket = connect({ port: nowhere.port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("close", resolve));
  expect(nowhere.connections).toBe(0);
  await nowhere.close();
});

test("the same seed gives the same choices", () => {
  const draw = (seed: number) => Array.from({ length: 5 }, seededRandom(seed));
  expect(draw(42)).toEqual(draw(42));
  expect(draw(42)).not.toEqual(draw(43));
  expect(draw(42).every((value) => value >= 0 && value < 1)).toBe(true);
});
