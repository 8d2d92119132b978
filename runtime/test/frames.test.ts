/** The frame protocol over real sockets and mTLS: bounds, backpressure, deadlines, loss, reconnection, draining. */
import { type AddressInfo, createServer, connect as dial, type Server as NetServer, type Socket } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Answer, ExchangeRequestSchema, ExchangeResponseSchema, Work } from "@florin/gen/frames/v1/frames";
import { DescribeTokenRequestSchema, VaultService } from "@florin/gen/vault/v1/vault";
import { AppError, assert, required } from "@florin/kernel";
import { Metadata, Server, type ServerDuplexStream, type UntypedHandleCall } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { asIsEncoder, type BodyEncoder, bytesOf, ServerExchange } from "../src/frames/index.ts";
import { serverCredentials } from "../src/rpc/credentials.ts";
import { connectFramed, type RpcServer } from "../src/rpc/index.ts";
import { serverOptions } from "../src/rpc/transport-options.ts";
import { freePort, untilTrue } from "../src/testing/index.ts";
import { loadTls } from "../src/tls/index.ts";
import { connected, describeMethod, logger, makeStage, rawStream, type Stage } from "./rpc-fixture.ts";

let stage: Stage;
const closers: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  stage = await makeStage();
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(() => stage.close());

const within = { timeoutMs: 20_000 };
const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const describe = (token: string) => toBinary(DescribeTokenRequestSchema, create(DescribeTokenRequestSchema, { token }));
const codeOf = (error: unknown) => (error instanceof AppError ? `${error.code}/${error.work}` : String(error));

async function client(address: string, o: { commandsInFlightMax?: number } = {}) {
  const made = await connected(stage.options(address, o));
  closers.push(() => made.close());
  return made;
}

type RawCommand = { id: number; method?: number; timeoutMs?: number; token?: string };

/** A peer without our client: writes what it likes and gathers the answers. */
function rawPeer(address: string) {
  const { stream, close } = rawStream(stage.options(address));
  closers.push(close);
  const answers: Answer[] = [];
  const ended = new Promise<{ code: number; details: string }>((resolve) => stream.on("status", resolve));
  stream.on("data", (frame: Buffer) => answers.push(...fromBinary(ExchangeResponseSchema, bytesOf(frame)).answers));
  const send = (commands: RawCommand[], o: { methods?: string[]; cancels?: number[] } = {}) => {
    const frame = {
      methods: o.methods ?? [describeMethod],
      commands: commands.map(({ id, method = 0, timeoutMs = 10_000, token = "visa" }) => ({
        id,
        method,
        timeoutMs,
        body: describe(token),
      })),
      cancels: o.cancels ?? [],
    };
    return stream.write(Buffer.from(toBinary(ExchangeRequestSchema, create(ExchangeRequestSchema, frame))));
  };
  const answerOf = (id: number) =>
    required(
      answers.find((answer) => answer.id === id),
      `answer ${id}`,
    );
  return { stream, send, answers, answerOf, ended };
}

test("commands of one turn share frames and are answered each for itself, in any order", async () => {
  const { address, script } = await stage.start();
  const framed = await client(address);
  const tokens = range(3_000).map((index) => (index % 500 === 7 ? "refuse" : index % 100 === 3 ? `sleep:${index % 40}` : `token-${index}`));
  const settled = await Promise.allSettled(tokens.map((token) => framed.describeToken({ token }, within)));
  for (const [index, answer] of settled.entries()) {
    if (tokens[index] === "refuse") expect(answer).toMatchObject({ status: "rejected", reason: { code: "token_not_found" } });
    else expect(answer).toMatchObject({ status: "fulfilled", value: { brand: tokens[index] } });
  }
  expect(script.started).toHaveLength(3_000);
  expect(framed.inFlight()).toBe(0);
});

test("the client's bound is an answer: overloaded, not_done, and nothing is sent", async () => {
  const { address, script } = await stage.start();
  const framed = await client(address, { commandsInFlightMax: 3 });
  const held = range(3).map(() => framed.describeToken({ token: "hold" }, within));
  await expect(framed.describeToken({ token: "fourth" }, within)).rejects.toMatchObject({ code: "overloaded", work: "not_done" });
  await untilTrue(() => script.started.length === 3, 10_000);
  script.release();
  await Promise.all(held);
  expect(await framed.describeToken({ token: "fourth" }, within)).toMatchObject({ brand: "fourth" });
});

test("the server's bound is an answer: overloaded, not_done, and the work is not started", async () => {
  const { address, script } = await stage.start({ commandsInFlightMax: 2 });
  const framed = await client(address);
  const held = range(2).map(() => framed.describeToken({ token: "hold" }, within));
  await untilTrue(() => script.started.length === 2, 10_000);
  const more = await Promise.all(range(5).map(() => framed.describeToken({ token: "more" }, within).catch(codeOf)));
  expect(new Set(more)).toEqual(new Set(["overloaded/not_done"]));
  script.release();
  await Promise.all(held);
  expect(script.started).toEqual(["hold", "hold"]);
});

/** A server that accepts frame streams and reads nothing until it is told to. */
async function deafServer() {
  const streams: ServerDuplexStream<Buffer, Buffer>[] = [];
  const seen: string[] = [];
  const server = new Server(serverOptions);
  const asIs = (bytes: Buffer) => bytes;
  const codec = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
  const path = "/florin.frames.v1.FrameService/Exchange";
  const handler = (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.sendMetadata(new Metadata());
    streams.push(call);
  };
  server.addService(
    { exchange: { path, requestStream: true, responseStream: true, ...codec } },
    { exchange: handler as UntypedHandleCall },
  );
  const credentials = serverCredentials(loadTls(stage.directory, "vault"), { initialWindowSize: 65_535, maxConcurrentStreams: 100 });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  closers.push(() => server.forceShutdown());
  const listen = () => {
    const stream = required(streams[0], "a stream");
    const run = async (body: Uint8Array) => {
      const { token } = fromBinary(DescribeTokenRequestSchema, body);
      seen.push(token.slice(0, 8));
      return new Uint8Array(0);
    };
    const faultOf = (_: string, thrown: unknown) => thrown as AppError;
    new ServerExchange({
      stream,
      peer: "switch",
      resolve: () => ({ run, encoder: asIsEncoder as BodyEncoder<unknown> }),
      faultOf,
      commandsInFlightMax: 100_000,
      onFrame: () => {},
      logger,
      onClosed: () => {},
    });
  };
  return { address: `127.0.0.1:${port}`, listen, seen };
}

test("a peer that does not read: the client stops writing, its bound holds, and everything is answered once the peer reads", async () => {
  const { address, listen, seen } = await deafServer();
  const framed = await client(address, { commandsInFlightMax: 600 });
  const filler = "x".repeat(20_000);
  const calls: Promise<unknown>[] = [];
  for (const index of range(600)) {
    calls.push(framed.describeToken({ token: `${String(index).padStart(8, "0")}${filler}` }, within));
    if (index % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await expect(framed.describeToken({ token: "one more" }, within)).rejects.toMatchObject({ code: "overloaded", work: "not_done" });
  // 12 MB wait here, not in the socket: a command that never left and whose time is up is surely not done.
  listen();
  await Promise.all(calls);
  expect(seen).toEqual(range(600).map((index) => String(index).padStart(8, "0")));
});

test("a command that could not be written in time is deadline_exceeded, not_done", async () => {
  const { address, listen, seen } = await deafServer();
  const framed = await client(address);
  const filler = "x".repeat(500_000);
  const early = range(40).map(async (index) => {
    await framed.describeToken({ token: `early-${index}${filler}` }, within);
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const late = range(20).map(() => framed.describeToken({ token: "late" }, { timeoutMs: 100 }).catch(codeOf));
  expect(new Set(await Promise.all(late))).toEqual(new Set(["deadline_exceeded/not_done"]));
  listen();
  await Promise.all(early);
  expect(seen.some((token) => token.startsWith("late"))).toBe(false);
});

test("a peer that sends and never reads is not read any more, and loses nothing when it reads again", async () => {
  const { address, script } = await stage.start();
  const raw = rawPeer(address);
  raw.send([{ id: 1 }]);
  await untilTrue(() => raw.answers.length === 1, 10_000);
  raw.stream.pause();
  // Each answer carries its token back; 60 MB of them cannot fit into windows and socket buffers.
  const filler = "y".repeat(100_000);
  const total = 600;
  let sent = 0;
  const sending = (async () => {
    for (; sent < total; sent += 1) {
      if (!raw.send([{ id: sent + 2, token: filler, timeoutMs: 60_000 }]))
        await new Promise((resolve) => raw.stream.once("drain", resolve));
    }
  })();
  let started = -1;
  await untilTrue(async () => {
    const before = started;
    await new Promise((resolve) => setTimeout(resolve, 300));
    started = script.started.length;
    return before === started;
  }, 20_000);
  expect(started).toBeLessThan(total);
  expect(sent).toBeLessThan(total);
  raw.stream.resume();
  await sending;
  await untilTrue(() => raw.answers.length === total + 1, 20_000);
  expect(raw.answers.every((answer) => answer.fault === undefined)).toBe(true);
});

test("work whose deadline has passed is not started and is answered not_done", async () => {
  const { address, script } = await stage.start();
  const raw = rawPeer(address);
  raw.send([
    { id: 1, token: "busy:120" },
    { id: 2, token: "too-late", timeoutMs: 50 },
    { id: 3, token: "in-time" },
  ]);
  await untilTrue(() => raw.answers.length === 3, 10_000);
  expect(raw.answerOf(2).fault).toMatchObject({ code: "deadline_exceeded", work: Work.NOT_DONE });
  expect(raw.answerOf(3).fault).toBeUndefined();
  expect(script.started).toEqual(["busy:120", "in-time"]);
});

test("a handler that asked for the signal sees it aborted when the deadline passes", async () => {
  const { address, script } = await stage.start();
  const framed = await client(address);
  // The handler answers when it is aborted; on a busy machine that answer may overtake the client's own clock.
  await framed.describeToken({ token: "signal:d" }, { timeoutMs: 120 }).catch((error: unknown) => {
    expect(error).toMatchObject({ code: "deadline_exceeded", work: "unknown" });
  });
  await untilTrue(() => script.aborted.has("signal:d"), 10_000);
  expect(script.aborted.get("signal:d")).toMatchObject({ code: "deadline_exceeded" });
});

test("deadlines of a thousand commands are honoured long before the answers come, and late answers are ignored", async () => {
  const { address } = await stage.start();
  const framed = await client(address);
  await framed.describeToken({ token: "before" }, within);
  const startedAtMs = performance.now();
  const lateMs: number[] = [];
  const calls = range(1_000).map(async (index) => {
    // Time enough for all of them to leave: on a busy machine the first frame took more than 100 ms, and what never left is not_done.
    const timeoutMs = 1_000 + (index % 10) * 40;
    const code = await framed.describeToken({ token: "sleep:3000" }, { timeoutMs }).catch(codeOf);
    lateMs.push(performance.now() - startedAtMs - timeoutMs);
    return code;
  });
  expect(new Set(await Promise.all(calls))).toEqual(new Set(["deadline_exceeded/unknown"]));
  expect(Math.min(...lateMs)).toBeGreaterThanOrEqual(-1);
  expect(Math.max(...lateMs)).toBeLessThan(2_000);
  await new Promise((resolve) => setTimeout(resolve, 2_800));
  expect(await framed.describeToken({ token: "after" }, within)).toMatchObject({ brand: "after" });
});

test("two thousand cancellations are messages, not resets: the stream lives on", async () => {
  const { address, server, script } = await stage.start();
  const framed = await client(address);
  const controller = new AbortController();
  const calls = range(2_000).map(() => framed.describeToken({ token: "hold" }, { ...within, signal: controller.signal }).catch(codeOf));
  await untilTrue(() => script.started.length === 2_000, 5_000);
  controller.abort();
  expect(new Set(await Promise.all(calls))).toEqual(new Set(["cancelled/unknown"]));
  script.release();
  expect(await framed.describeToken({ token: "after" }, within)).toMatchObject({ brand: "after" });
  expect(server.streamCount).toBe(1);
  expect(framed.isConnected()).toBe(true);
});

test("commands given up before they left are never sent, and those behind them are", async () => {
  const { address, script } = await stage.start();
  const framed = await client(address);
  const controller = new AbortController();
  const givenUp = range(2_500).map(() =>
    framed.describeToken({ token: "given-up" }, { ...within, signal: controller.signal }).catch(codeOf),
  );
  const behind = framed.describeToken({ token: "behind" }, within);
  controller.abort();
  expect(new Set(await Promise.all(givenUp))).toEqual(new Set(["cancelled/not_done"]));
  expect(await behind).toMatchObject({ brand: "behind" });
  expect(script.started).toEqual(["behind"]);
});

test("a cancelled command is not answered, and a cancel for an unknown command is ignored", async () => {
  const { address, script } = await stage.start();
  const raw = rawPeer(address);
  raw.send([{ id: 1, token: "hold" }], { cancels: [77] });
  await untilTrue(() => script.started.length === 1, 10_000);
  raw.send([], { cancels: [1] });
  raw.send([{ id: 2, token: "after" }]);
  await untilTrue(() => raw.answers.length === 1, 10_000);
  script.release();
  await untilTrue(() => script.finished.includes("hold"), 10_000);
  raw.send([{ id: 1, token: "id-1-is-free-again" }]);
  await untilTrue(() => raw.answers.length === 2, 10_000);
  expect(raw.answers.map(({ id }) => id)).toEqual([2, 1]);
});

test.each<[string, RawCommand[], string[]]>([
  ["id 0", [{ id: 0 }], [describeMethod]],
  ["an id in use", [{ id: 5, token: "hold" }, { id: 5 }], [describeMethod]],
  ["more than 1,024 commands in a frame", range(1_025).map((id) => ({ id: id + 1 })), [describeMethod]],
  ["more than 32 methods in a frame", [], range(33).map((index) => `a.B/${index}`)],
])("a peer that breaks the protocol loses its stream: %s", async (_case, commands, methods) => {
  const { address } = await stage.start();
  const raw = rawPeer(address);
  raw.send(commands, { methods });
  expect((await raw.ended).code).toBe(3);
});

test("a malformed frame ends the stream", async () => {
  const { address } = await stage.start();
  const raw = rawPeer(address);
  raw.stream.write(Buffer.from([0x12, 0xff, 0xff]));
  expect((await raw.ended).code).toBe(3);
});

test("a command that cannot be run is refused by itself, not_done", async () => {
  const { address, script } = await stage.start();
  const raw = rawPeer(address);
  const methods = [describeMethod, "florin.none.v1.NoService/Nothing", "florin.events.v1.EventLogService/Subscribe"];
  raw.send(
    [{ id: 1, timeoutMs: 0 }, { id: 2, timeoutMs: 120_001 }, { id: 3, method: 3 }, { id: 4, method: 1 }, { id: 5, method: 2 }, { id: 6 }],
    { methods },
  );
  await untilTrue(() => raw.answers.length === 6, 10_000);
  for (const [id, code] of [
    [1, "parameter_invalid"],
    [2, "parameter_invalid"],
    [3, "parameter_invalid"],
    [4, "caller_not_allowed"],
    [5, "internal"],
  ] as const) {
    expect(raw.answerOf(id).fault).toMatchObject({ code, work: Work.NOT_DONE });
  }
  expect(raw.answerOf(6).fault).toBeUndefined();
  expect(script.started).toEqual(["visa"]);
});

test("a body beyond its bound is refused without sending; a frame of large bodies is split", async () => {
  const { address } = await stage.start();
  const framed = await client(address);
  await expect(framed.describeToken({ token: "x".repeat(1_100_000) }, within)).rejects.toMatchObject({
    code: "body_too_large",
    work: "not_done",
  });
  const token = "z".repeat(900_000);
  const answers = await Promise.all(range(12).map(() => framed.describeToken({ token }, within)));
  expect(answers.every((answer) => answer.brand === token)).toBe(true);
});

/** A TCP relay that can be cut, or swallow everything. */
async function relay(target: string) {
  const port = Number(target.slice(target.lastIndexOf(":") + 1));
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server: NetServer = createServer((near) => {
    const far = dial(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (bytes) => {
        if (!isSilent) to.write(bytes);
      });
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  closers.push(() => {
    cut();
    server.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    silence: () => {
      isSilent = true;
    },
  };
}

test("a lost stream makes what was sent unknown and what was not sent not_done; the client comes back by itself", async () => {
  const { address, script } = await stage.start();
  const between = await relay(address);
  const framed = await client(between.address);
  let opened = 0;
  const forget = framed.onConnected(() => {
    opened += 1;
  });
  const sent = range(50).map(() => framed.describeToken({ token: "hold" }, within).catch(codeOf));
  await untilTrue(() => script.started.length === 50, 10_000);
  between.cut();
  expect(new Set(await Promise.all(sent))).toEqual(new Set(["peer_lost/unknown"]));
  expect(framed.isConnected()).toBe(false);
  await expect(framed.describeToken({ token: "meanwhile" }, within)).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
  expect(await framed.untilConnected(5_000)).toBe(true);
  expect(await framed.describeToken({ token: "again" }, within)).toMatchObject({ brand: "again" });
  expect(script.started).not.toContain("meanwhile");
  // Whoever has to tell a peer something anew hears that one is there.
  expect(opened).toBe(1);
  forget();
});

test("the server aborts the work of a lost caller and holds nothing for it", async () => {
  const { address, server, script } = await stage.start();
  const between = await relay(address);
  const framed = await client(between.address);
  const call = framed.describeToken({ token: "signal:lost" }, within).catch(codeOf);
  await untilTrue(() => script.started.length === 1, 10_000);
  between.cut();
  await untilTrue(() => script.aborted.has("signal:lost"), 10_000);
  expect(await call).toBe("peer_lost/unknown");
  await untilTrue(() => framed.isConnected() && server.streamCount === 1, 5_000);
});

test("a peer that falls silent is noticed by pings", async () => {
  const { address } = await stage.start();
  const between = await relay(address);
  const framed = await client(between.address);
  const call = framed.describeToken({ token: "hold" }, { timeoutMs: 60_000 }).catch(codeOf);
  between.silence();
  const startedAtMs = performance.now();
  expect(await call).toBe("peer_lost/unknown");
  expect(performance.now() - startedAtMs).toBeLessThan(20_000);
});

test("a draining server loses nothing: no command under way becomes unknown, and its successor takes over", async () => {
  const first = await stage.start({ port: await freePort() });
  const clients = await Promise.all(range(4).map(() => client(first.address)));
  const outcomes = new Map<string, number>();
  let isOver = false;
  const load = clients.flatMap((framed) =>
    range(16).map(async (index) => {
      while (!isOver) {
        const outcome = await framed.describeToken({ token: `sleep:${index}` }, within).then(() => "answered", codeOf);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        if (outcome !== "answered") await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }),
  );
  await untilTrue(() => (outcomes.get("answered") ?? 0) > 500, 10_000);
  await first.server.drain(5_000);
  expect(first.script.finished).toHaveLength(first.script.started.length);
  const second = await stage.start({ port: first.server.port });
  await untilTrue(() => second.script.finished.length > 500, 10_000);
  isOver = true;
  await Promise.all(load);
  expect([...outcomes.keys()].sort()).toEqual(["answered", "unavailable/not_done"]);
});

test("a drain waits for its time-out at most; what is left is cut and unknown to its caller", async () => {
  const { address, server, script } = await stage.start();
  const framed = await client(address);
  const call = framed.describeToken({ token: "hold" }, within).catch(codeOf);
  await untilTrue(() => script.started.length === 1, 10_000);
  const startedAtMs = performance.now();
  await server.drain(300);
  expect(performance.now() - startedAtMs).toBeLessThan(1_500);
  expect(await call).toBe("peer_lost/unknown");
  script.release();
});

test("closing a client waits for its answers and refuses what comes later", async () => {
  const { address, server } = await stage.start();
  const framed = await connected(stage.options(address));
  const call = framed.describeToken({ token: "sleep:200" }, within);
  const closed = framed.close();
  await expect(framed.describeToken({ token: "late" }, within)).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
  await closed;
  expect(await call).toMatchObject({ found: true });
  await framed.close();
  await untilTrue(() => server.streamCount === 0, 10_000);
});

test("a client may be made before its server is there", async () => {
  const port = await freePort();
  const framed = connectFramed(VaultService, stage.options(`127.0.0.1:${port}`));
  closers.push(() => framed.close());
  expect(await framed.untilConnected(100)).toBe(false);
  const later: { server: RpcServer } = await stage.start({ port });
  assert(later.server.port === port, "same port");
  expect(await framed.untilConnected(10_000)).toBe(true);
  expect(await framed.describeToken({ token: "hello" }, within)).toMatchObject({ brand: "hello" });
});
