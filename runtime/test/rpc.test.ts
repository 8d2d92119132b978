/** Unary calls, frames and streaming calls of one server: the same answers, the same faults, the same policy. */
import { EventLogService } from "@florin/gen/events/v1/events";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { AppError } from "@florin/kernel";
import { type Client as GrpcClient, loadPackageDefinition } from "@grpc/grpc-js";
import { service as healthDefinition } from "grpc-health-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openChannel } from "../src/rpc/channel.ts";
import { connectFramed, connectUnary, implement, openFrameLink, startRpcServer } from "../src/rpc/index.ts";
import { startTelemetry } from "../src/telemetry/index.ts";
import { portOfNobody, untilTrue } from "../src/testing/index.ts";
import { connected, logger, makeStage, type Stage } from "./rpc-fixture.ts";

let stage: Stage;
const closers: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  stage = await makeStage();
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(() => stage.close());

function closing<T extends { close(): Promise<void> | void }>(closable: T): T {
  closers.push(() => closable.close());
  return closable;
}

async function both(name = "switch") {
  const { server, address, script } = await stage.start();
  const framed = closing(await connected(stage.options(address, { name })));
  const unary = closing(connectUnary(VaultService, stage.options(address, { name })));
  return { server, address, script, ways: [framed, unary] as const };
}

const within = { timeoutMs: 5_000 };
const facts = (error: unknown) => {
  expect(error).toBeInstanceOf(AppError);
  const { code, message, work, param, retryAfterMs } = error as AppError;
  return { code, message, work, param, retryAfterMs };
};

test("a unary and a framed call give the same answer", async () => {
  const { ways } = await both();
  const answers = await Promise.all(ways.map((way) => way.describeToken({ merchantId: "mer_é", token: "visa" }, within)));
  expect(answers[0]).toMatchObject({ found: true, brand: "visa", fingerprint: "mer_é" });
  expect(answers[0]).toEqual(answers[1]);
});

test.each([
  [
    "refuse",
    { code: "token_not_found", message: "no such token: é ü 漢", work: "not_done", param: "payment_method.token", retryAfterMs: 1_500 },
  ],
  ["done", { code: "payment_busy", message: "it happened", work: "done", param: undefined, retryAfterMs: undefined }],
  ["bug", { code: "internal", message: "an unexpected fault", work: "unknown", param: undefined, retryAfterMs: undefined }],
])("a unary and a framed call give the same fault: %s", async (token, expected) => {
  const { ways } = await both();
  for (const way of ways) expect(facts(await way.describeToken({ token }, within).catch((error: unknown) => error))).toEqual(expected);
});

test("a time-out is deadline_exceeded, unknown, both ways; the handler saw the deadline", async () => {
  const { ways, script } = await both();
  for (const way of ways) {
    const atMs = Date.now();
    await expect(way.describeToken({ token: "sleep:3000" }, { timeoutMs: 500 })).rejects.toMatchObject({
      code: "deadline_exceeded",
      work: "unknown",
    });
    expect(Date.now() - atMs).toBeLessThan(2_500);
    const deadlineAtMs = script.lastContext?.deadlineAtMs ?? 0;
    expect(deadlineAtMs - atMs).toBeGreaterThanOrEqual(450);
    expect(deadlineAtMs - atMs).toBeLessThan(2_000);
  }
  await untilTrue(() => script.finished.length === 2, 10_000);
});

test("no time left, or a caller that gave up before, is refused without sending", async () => {
  const { ways, script } = await both();
  for (const way of ways) {
    await expect(way.describeToken({ token: "visa" }, { timeoutMs: 0 })).rejects.toMatchObject({
      code: "deadline_exceeded",
      work: "not_done",
    });
    const signal = AbortSignal.abort();
    await expect(way.describeToken({ token: "visa" }, { ...within, signal })).rejects.toMatchObject({
      code: "cancelled",
      work: "not_done",
    });
  }
  expect(script.started).toEqual([]);
});

test("a caller that gives up gets cancelled, unknown, and the handler's signal is aborted, both ways", async () => {
  const { ways, script } = await both();
  for (const [index, way] of ways.entries()) {
    const token = `signal:${index}`;
    const controller = new AbortController();
    const call = way.describeToken({ token }, { ...within, signal: controller.signal });
    await untilTrue(() => script.started.includes(token), 10_000);
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: "cancelled", work: "unknown" });
    await untilTrue(() => script.aborted.has(token), 10_000);
  }
});

test("the traceparent of the caller reaches the handler, both ways", async () => {
  const { ways, script } = await both();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
  for (const way of ways) {
    await way.describeToken({ token: "visa" }, { ...within, traceparent });
    expect(script.lastContext).toMatchObject({ traceparent, peer: "switch" });
    await way.describeToken({ token: "visa" }, within);
    expect(script.lastContext?.traceparent).toBe("");
  }
});

test("a caller may call what the policy lists for its certificate, and nothing else, both ways", async () => {
  const { ways, script, address } = await both("switch");
  for (const way of ways)
    await expect(way.detokenize({ token: "visa" }, within)).rejects.toMatchObject({ code: "caller_not_allowed", work: "not_done" });
  const other = closing(await connected(stage.options(address, { name: "connectors" })));
  expect((await other.detokenize({ token: "visa" }, within)).number).toEqual(new Uint8Array([1, 2, 3]));
  const nobody = closing(await connected(stage.options(address, { name: "edge" })));
  await expect(nobody.describeToken({ token: "visa" }, within)).rejects.toMatchObject({ code: "caller_not_allowed" });
  expect(script.started).toEqual([]);
});

test("frames are counted on both sides, and commands in flight over all links, a closed one left out", async () => {
  const [client, server] = ["switch", "vault"].map((service) => startTelemetry({ service, otlpUrl: "", traceRatio: 0 }));
  if (client === undefined || server === undefined) throw new Error("telemetry");
  closers.push(async () => void (await Promise.all([client.shutdown(), server.shutdown()])));
  const { address } = await stage.start({ metrics: server.metrics });
  const links = [];
  for (let count = 0; count < 2; count++) links.push(closing(await connected({ ...stage.options(address), metrics: client.metrics })));
  const [first, second] = links;
  if (first === undefined || second === undefined) throw new Error("links");
  const slow = links.map((link) => link.describeToken({ token: "sleep:300" }, within));
  await untilTrue(async () => (await server.scrape()).includes('rpc_commands_in_flight{side="server"} 2'), 10_000);
  expect(await client.scrape()).toContain('rpc_commands_in_flight{side="client"} 2');
  expect(await client.scrape()).toContain('rpc_frames_commands_count{side="client"} 2');
  await Promise.all(slow);
  await first.close();
  const last = second.describeToken({ token: "sleep:100" }, within);
  expect(await client.scrape()).toContain('rpc_commands_in_flight{side="client"} 1');
  await last;
  await untilTrue(async () => (await server.scrape()).includes('rpc_frames_commands_sum{side="server"} 3'), 10_000);
});

test("several services share one link", async () => {
  const { server, address } = await both("connectors");
  const before = server.streamCount;
  const link = closing(openFrameLink(stage.options(address, { name: "connectors" })));
  expect(await link.untilConnected(5_000)).toBe(true);
  const first = link.client(VaultService);
  const second = link.client(VaultService);
  await Promise.all([first.describeToken({ token: "a" }, within), second.detokenize({ token: "b" }, within)]);
  expect(server.streamCount).toBe(before + 1);
});

test("a peer that cannot be reached is unavailable, not_done, both ways", async () => {
  const address = `127.0.0.1:${portOfNobody}`;
  const framed = closing(connectFramed(VaultService, stage.options(address)));
  const unary = closing(connectUnary(VaultService, stage.options(address)));
  for (const way of [framed, unary])
    await expect(way.describeToken({ token: "a" }, within)).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
  expect(framed.isConnected()).toBe(false);
});

describe("streaming calls", () => {
  async function eventLog() {
    const started = await stage.start();
    return { ...started, client: closing(connectUnary(EventLogService, stage.options(started.address))) };
  }

  test("messages arrive in order; leaving the loop ends the handler", async () => {
    const { client, script } = await eventLog();
    const { signal } = new AbortController();
    const positions: (bigint | undefined)[] = [];
    for await (const { batch } of client.subscribe({ afterPosition: 5n, consumer: "ledger" }, { signal })) {
      positions.push(batch?.events[0]?.position);
      if (positions.length === 100) break;
    }
    expect(positions).toEqual(Array.from({ length: 100 }, (_, index) => BigInt(6 + index)));
    await untilTrue(() => script.aborted.has("ledger"), 10_000);
  });

  test("a reader that stops holds the handler back", async () => {
    const { client, script } = await eventLog();
    const controller = new AbortController();
    const reader = client.subscribe({ afterPosition: 0n, consumer: "slow" }, { signal: controller.signal })[Symbol.asyncIterator]();
    await reader.next();
    let seen = -1;
    await untilTrue(() => {
      const isStill = script.finished.length === seen;
      seen = script.finished.length;
      return isStill;
    }, 15_000);
    expect(seen).toBeLessThan(500_000);
    controller.abort();
    await untilTrue(() => script.aborted.has("slow"), 5_000);
    for (let next = await reader.next(); next.done !== true; ) next = await reader.next();
  });

  test("an abort by the caller ends the loop without an error", async () => {
    const { client, script } = await eventLog();
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of client.subscribe({ consumer: "idle" }, { signal: controller.signal }));
    })();
    await untilTrue(() => script.started.includes("idle"), 10_000);
    controller.abort();
    await reading;
    await untilTrue(() => script.aborted.has("idle"), 10_000);
  });

  test("a fault arrives as the AppError it was; a refused caller gets nothing", async () => {
    const { client, address } = await eventLog();
    const { signal } = new AbortController();
    const read = async (log: typeof client, consumer: string) => {
      for await (const _ of log.subscribe({ consumer }, { signal }));
    };
    await expect(read(client, "refused")).rejects.toMatchObject({ code: "unavailable", work: "not_done", retryAfterMs: 250 });
    const edge = closing(connectUnary(EventLogService, stage.options(address, { name: "edge" })));
    await expect(read(edge, "idle")).rejects.toMatchObject({ code: "caller_not_allowed" });
  });

  test("a draining server ends streams with unavailable", async () => {
    const { client, server, script } = await eventLog();
    const { signal } = new AbortController();
    const reading = (async () => {
      for await (const _ of client.subscribe({ consumer: "idle" }, { signal }));
    })();
    await untilTrue(() => script.started.includes("idle"), 10_000);
    const startedAtMs = performance.now();
    await Promise.all([expect(reading).rejects.toMatchObject({ code: "unavailable" }), server.drain(5_000)]);
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  });
});

test("a drain finishes unary calls in flight and refuses new ones as not done", async () => {
  const { server, script, ways } = await both();
  const [, unary] = ways;
  const call = unary.describeToken({ token: "hold" }, within);
  await untilTrue(() => script.started.length === 1, 10_000);
  const drained = server.drain(5_000);
  await expect(unary.describeToken({ token: "late" }, within)).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
  script.release();
  expect(await call).toMatchObject({ found: true });
  await drained;
  expect(script.started).toEqual(["hold"]);
});

test("a unary call that outlasts the drain is peer_lost, unknown, at once", async () => {
  const { server, script, ways } = await both();
  const [, unary] = ways;
  const call = unary.describeToken({ token: "hold" }, within);
  await untilTrue(() => script.started.length === 1, 10_000);
  const startedAtMs = performance.now();
  await Promise.all([expect(call).rejects.toMatchObject({ code: "peer_lost", work: "unknown" }), server.drain(200)]);
  expect(performance.now() - startedAtMs).toBeLessThan(1_500);
  script.release();
});

test("a request that cannot be encoded is refused by itself, not_done, both ways", async () => {
  const { ways, script } = await both();
  for (const way of ways) {
    const bad = { merchantId: "bad", token: Object.create(null) as string };
    const calls = [way.describeToken({ token: "a" }, within), way.describeToken(bad, within), way.describeToken({ token: "b" }, within)];
    const settled = await Promise.allSettled(calls);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(settled[1]).toMatchObject({ reason: { code: "internal", work: "not_done" } });
  }
  expect(script.started.sort()).toEqual(["a", "a", "b", "b"]);
});

test("the bound on unary calls is an answer", async () => {
  const { address, script } = await stage.start({ commandsInFlightMax: 2 });
  const unary = closing(connectUnary(VaultService, stage.options(address)));
  const held = [1, 2].map(() => unary.describeToken({ token: "hold" }, within));
  await untilTrue(() => script.started.length === 2, 10_000);
  await expect(unary.describeToken({ token: "third" }, within)).rejects.toMatchObject({ code: "overloaded", work: "not_done" });
  script.release();
  await Promise.all(held);
});

test("closing a unary client waits for its calls in flight", async () => {
  const { address } = await stage.start();
  const unary = connectUnary(VaultService, stage.options(address));
  const call = unary.describeToken({ token: "sleep:200" }, within);
  await unary.close();
  expect(await call).toMatchObject({ found: true });
  await expect(unary.describeToken({ token: "a" }, within)).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
});

test("health follows readiness and the drain", async () => {
  let isReady = true;
  const { address, server } = await stage.start({ readiness: () => isReady });
  const Health = loadPackageDefinition({ Health: healthDefinition })["Health"] as unknown as new (
    ...args: ConstructorParameters<typeof GrpcClient>
  ) => GrpcClient & { check(request: object, done: (error: Error | null, answer: { status: string }) => void): void };
  const options = stage.options(address, { name: "edge" });
  const channel = openChannel(options);
  closers.push(() => channel.close());
  const health = Object.assign(Object.create(Health.prototype) as InstanceType<typeof Health>, channel);
  const check = (service: string) =>
    new Promise<string>((resolve, reject) =>
      health.check({ service }, (error, answer) => (error === null ? resolve(answer.status) : reject(error))),
    );
  expect(await check("")).toBe("SERVING");
  expect(await check("florin.vault.v1.VaultService")).toBe("SERVING");
  await expect(check("florin.none.v1.None")).rejects.toMatchObject({ code: 5 });
  isReady = false;
  await untilTrue(async () => (await check("florin.vault.v1.VaultService")) === "NOT_SERVING", 3_000);
  isReady = true;
  await untilTrue(async () => (await check("")) === "SERVING", 3_000);
  await server.drain(1_000);
});

test("reflection lists the services and hands out their descriptors", async () => {
  const { address } = await stage.start();
  const channel = openChannel(stage.options(address, { name: "edge" }));
  closers.push(() => channel.close());
  const asIs = (bytes: Buffer) => bytes;
  const ask = (request: Buffer) =>
    new Promise<Buffer>((resolve, reject) => {
      const stream = channel.makeBidiStreamRequest("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", asIs, asIs);
      stream.on("data", (answer: Buffer) => {
        resolve(answer);
        stream.end();
      });
      stream.on("error", reject);
      stream.write(request);
    });
  // ServerReflectionRequest: list_services = 7, file_containing_symbol = 4 (strings).
  const field = (number: number, text: string) => Buffer.concat([Buffer.of((number << 3) | 2, text.length), Buffer.from(text)]);
  const list = (await ask(field(7, "*"))).toString("latin1");
  for (const name of [
    "florin.vault.v1.VaultService",
    "florin.events.v1.EventLogService",
    "florin.frames.v1.FrameService",
    "grpc.health.v1.Health",
  ])
    expect(list).toContain(name);
  const file = (await ask(field(4, "florin.vault.v1.VaultService"))).toString("latin1");
  expect(file).toContain("DescribeTokenRequest");
});

test("a server without TLS must be asked for, and then every caller is insecure and allowed", async () => {
  const describeToken = async (_: unknown, { peer }: { readonly peer: string }) => ({ brand: peer });
  const services = [implement(VaultService, { describeToken, detokenize: async () => ({}), deleteToken: async () => ({}) })];
  const options = { host: "127.0.0.1", port: 0, tls: { kind: "off" }, services, policy: {}, logger } as const;
  await expect(startRpcServer({ ...options, allowInsecure: false })).rejects.toThrow(/TLS is off/);
  const server = await startRpcServer({ ...options, allowInsecure: true });
  const client = await connected({ address: `127.0.0.1:${server.port}`, tls: { kind: "off" }, logger });
  expect((await client.describeToken({}, within)).brand).toBe("insecure");
  await client.close();
  await server.drain(1_000);
});

test("a port that is taken is an error at start", async () => {
  const { server } = await stage.start();
  await expect(stage.start({ port: server.port })).rejects.toThrow(/EADDRINUSE|address/i);
});
