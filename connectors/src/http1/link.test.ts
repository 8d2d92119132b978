/** The link against a server that does what each test says, on the loopback address. */
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createHttpLink, type HttpLink, type HttpLinkOptions } from "./link.ts";

const request = Buffer.from("GET /x HTTP/1.1\r\nhost: test\r\n\r\n");
const answer = (text: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
const read = (status: number, body: Buffer) => ({ status, text: body.toString() });
const soon = (ms = 2_000) => Date.now() + ms;

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** `onRequest` is called with the socket, the number of its connection and the number of its request on that connection. */
async function serve(onRequest: (socket: Socket, connection: number, turn: number) => void): Promise<{ server: Server; url: URL }> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    connections += 1;
    const connection = connections;
    let turn = 0;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.on("data", () => {
      turn += 1;
      onRequest(socket, connection, turn);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  return { server, url: new URL(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`) };
}

function link(url: URL, change: Partial<HttpLinkOptions> = {}): HttpLink {
  const made = createHttpLink({ url, connectionsMax: 4, waitingMax: 4, connectTimeoutMs: 500, idleMsMax: 10_000, ...change });
  open.push(() => made.close());
  return made;
}

describe("answers", () => {
  test("one connection serves one request after the other", async () => {
    const { url } = await serve((socket, connection, turn) => socket.write(answer(`${connection}.${turn}`)));
    const http = link(url);
    for (const text of ["1.1", "1.2", "1.3"])
      expect(await http.exchange(request, soon(), read)).toEqual({ kind: "answered", value: { status: 200, text } });
    expect([http.connections, http.inFlight, http.isUp()]).toEqual([1, 0, true]);
  });

  test("an answer in single bytes is put together", async () => {
    const { url } = await serve((socket) => {
      void (async () => {
        for (const byte of answer("slow")) {
          socket.write(byte);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
    });
    expect(await link(url).exchange(request, soon(), read)).toMatchObject({ value: { text: "slow" } });
  });

  test("a peer that says close is believed", async () => {
    const { url } = await serve((socket, connection) =>
      socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\n${connection}`),
    );
    const http = link(url);
    expect(await http.exchange(request, soon(), read)).toMatchObject({ value: { text: "1" } });
    expect(await http.exchange(request, soon(), read)).toMatchObject({ value: { text: "2" } });
  });

  test("an answer that is refused by its reader closes the connection", async () => {
    const { url } = await serve((socket, connection) => socket.write(answer(String(connection))));
    const http = link(url);
    expect(await http.exchange(request, soon(), () => "answer_mismatch")).toEqual({ kind: "unknown", cause: "answer_mismatch" });
    expect(await http.exchange(request, soon(), read)).toMatchObject({ value: { text: "2" } });
  });

  test("a second answer that nobody asked for closes the connection before the next request", async () => {
    const { url } = await serve((socket, connection) => socket.write(answer(`a${connection}`) + answer("b")));
    const http = link(url);
    expect(await http.exchange(request, soon(), read)).toMatchObject({ value: { text: "a1" } });
    expect(await http.exchange(request, soon(), read)).toMatchObject({ value: { text: "a2" } });
  });
});

describe("a request that has left", () => {
  test("may be wiped before its answer comes", async () => {
    const received: string[] = [];
    const { url } = await serve((socket, _connection, turn) => {
      received.push(String(turn));
      // The answer waits for the wiping.
      if (turn === 1) afterWiping = () => socket.write(answer("late"));
    });
    let afterWiping = () => {};
    const own = Buffer.from(request);
    const wiped = Promise.withResolvers<void>();
    const asked = link(url).exchange(own, soon(), read, () => {
      own.fill(0);
      wiped.resolve();
    });
    await wiped.promise;
    await expect.poll(() => received).toEqual(["1"]);
    afterWiping();
    expect(await asked).toMatchObject({ kind: "answered", value: { text: "late" } });
  });

  test("is told of once for each request, also when its connection is lost", async () => {
    const { url } = await serve((socket, _connection, turn) => (turn === 1 ? socket.write(answer("x")) : socket.destroy()));
    const http = link(url);
    let written = 0;
    for (let turn = 0; turn < 2; turn++) await http.exchange(request, soon(), read, () => (written += 1));
    await expect.poll(() => written).toBe(2);
  });
});

describe("not_sent and unknown", () => {
  test("nobody listens: not_sent, and the link is down until somebody does", async () => {
    const { server, url } = await serve((socket) => socket.write(answer("x")));
    await new Promise<void>((resolve) => server.close(() => resolve()));
    const http = link(url);
    expect(await http.exchange(request, soon(), read)).toEqual({ kind: "not_sent", cause: "not_connected" });
    expect(http.isUp()).toBe(false);
  });

  test("a connection that dies before the first byte of a request was written is not_sent, after it unknown", async () => {
    const { url } = await serve((socket) => socket.destroy());
    expect(await link(url).exchange(request, soon(), read)).toEqual({ kind: "unknown", cause: "connection_lost" });
  });

  test("half an answer is unknown", async () => {
    const { url } = await serve((socket) => socket.end(answer("x").slice(0, -1)));
    expect(await link(url).exchange(request, soon(), read)).toEqual({ kind: "unknown", cause: "connection_lost" });
  });

  test("an answer to half a request is unknown, and the other half never leaves", async () => {
    const { url } = await serve((socket) => {
      socket.pause();
      socket.write(answer("too early"));
    });
    const large = Buffer.concat([request, Buffer.alloc(16_000_000)]);
    expect(await link(url).exchange(large, soon(), read)).toEqual({ kind: "unknown", cause: "garbage" });
  });

  test("garbage is unknown at once, not after the deadline", async () => {
    const { url } = await serve((socket) => socket.write("<html>"));
    const startedAtMs = performance.now();
    expect(await link(url).exchange(request, soon(5_000), read)).toEqual({ kind: "unknown", cause: "garbage" });
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  });

  test("silence is unknown at the deadline, and the late answer meets nobody", async () => {
    const { url } = await serve((socket, connection) => {
      if (connection === 1) setTimeout(() => socket.write(answer("late")), 1_500);
      else socket.write(answer("fresh"));
    });
    const http = link(url, { connectionsMax: 1 });
    const startedAtMs = performance.now();
    expect(await http.exchange(request, soon(300), read)).toEqual({ kind: "unknown", cause: "timeout" });
    expect(performance.now() - startedAtMs).toBeLessThan(1_400);
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect(await http.exchange(request, soon(), read)).toMatchObject({ value: { text: "fresh" } });
  });

  test.each([-3_600_000, 3_600_000])("a wall clock that jumps by %i ms while it is waited for changes no deadline", async (jumpMs) => {
    const { url } = await serve((socket, _connection, turn) => {
      if (turn === 1) setTimeout(() => socket.write(answer("in time")), 100);
    });
    const http = link(url, { connectionsMax: 1 });
    const startedAtMs = performance.now();
    const [answered, silent] = [http.exchange(request, soon(1_000), read), http.exchange(request, soon(1_000), read)];
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + jumpMs);
    try {
      expect(await answered).toMatchObject({ value: { text: "in time" } });
      expect(await silent).toEqual({ kind: "unknown", cause: "timeout" });
      expect(performance.now() - startedAtMs).toBeLessThan(4_000);
    } finally {
      clock.mockRestore();
    }
  });

  test("more than the bound is overloaded; those who wait get their turn or are not_sent at their deadline", async () => {
    const held: Socket[] = [];
    const { url } = await serve((socket) => void held.push(socket));
    const http = link(url, { connectionsMax: 1, waitingMax: 2 });
    const first = http.exchange(request, soon(), read);
    const second = http.exchange(request, soon(), read);
    const late = http.exchange(request, soon(50), read);
    expect(await http.exchange(request, soon(), read)).toEqual({ kind: "not_sent", cause: "queue_full" });
    expect(await late).toEqual({ kind: "not_sent", cause: "deadline_exceeded" });
    held[0]?.write(answer("1"));
    expect(await first).toMatchObject({ value: { text: "1" } });
    while (held.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    held[1]?.write(answer("2"));
    expect(await second).toMatchObject({ value: { text: "2" } });
  });

  test("no request is sent twice when its connection is lost", async () => {
    let requests = 0;
    const { url } = await serve((socket, _connection, turn) => {
      requests += 1;
      if (turn === 1) socket.write(answer("x"));
      else socket.destroy();
    });
    const http = link(url);
    await http.exchange(request, soon(), read);
    expect(await http.exchange(request, soon(), read)).toEqual({ kind: "unknown", cause: "connection_lost" });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(requests).toBe(2);
  });

  test("a connection that was idle too long is not used again", async () => {
    const { url } = await serve((socket, connection) => socket.write(answer(String(connection))));
    const http = link(url, { idleMsMax: 20 });
    await http.exchange(request, soon(), read);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(await http.exchange(request, soon(), read)).toMatchObject({ value: { text: "2" } });
  });
});

test("close answers what is in flight and refuses what comes after", async () => {
  const { url } = await serve((socket) => setTimeout(() => socket.write(answer("x")), 40));
  const http = link(url);
  const inFlight = http.exchange(request, soon(), read);
  await new Promise((resolve) => setTimeout(resolve, 10));
  const closed = http.close();
  expect(await http.exchange(request, soon(), read)).toEqual({ kind: "not_sent", cause: "closing" });
  expect(await inFlight).toMatchObject({ kind: "answered" });
  await closed;
  expect(http.connections).toBe(0);
});
