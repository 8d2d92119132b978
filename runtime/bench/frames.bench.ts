/**
 * Question: what does a framed command between two processes cost, both sides together, against a grpc-js unary echo of the same bytes?
 *
 * Client and server are processes of their own, mTLS on, 300-byte bodies, a closed loop of 64 requests in flight (and of 1 and 256). Rounds are
 * interleaved, the figure of a row is the median of its rounds; the ratio is taken inside each round, so that a slow moment of the machine
 * hits both. CPU is user + system of both processes (process.cpuUsage). Goal: framed ≤ 0.2 × unary.
 *
 *   node runtime/bench/frames.bench.ts [--json] [--rounds 7] [--seconds 1] [--profile]
 *
 * Rows: `framed bytes` is the frame path alone; `framed messages` adds create, encode and decode of a real request and answer on both
 * sides; `unary` is bare grpc-js with as-is serialisers (the ruler); `unary messages` is our own unary client and server.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import { ConnectorService, OutcomeKind } from "@florin/gen/connectors/v1/connectors";
import { required } from "@florin/kernel";
import { Metadata, Server, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { pino } from "pino";
import { asIsEncoder, type BodyEncoder, FrameLink } from "../src/frames/index.ts";
import { openChannel } from "../src/rpc/channel.ts";
import { serverCredentials } from "../src/rpc/credentials.ts";
import { connectFramed, connectUnary, implement, startRpcServer } from "../src/rpc/index.ts";
import { serverOptions, streamsPerConnectionMax, windowBytes } from "../src/rpc/transport-options.ts";
import { loadTls, makeCertificates } from "../src/tls/index.ts";

type CpuAnswer = { readonly cpuMicros: number };
type Ports = { readonly florin: number; readonly raw: number };
type Round = {
  readonly cpuMicrosPerRequest: number;
  readonly clientMicros: number;
  readonly serverMicros: number;
  readonly perSecond: number;
};

const bodySizeBytes = 300;
const timeoutMs = 10_000;
const echoPath = "/bench.Echo/Echo";
const asIs = (bytes: Buffer) => bytes;
const logger = pino({ level: "silent" });
const cpuMicrosNow = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** An Authorize request of exactly `bodySizeBytes`, and an answer of about the size of a real one. */
const request = {
  connector: "simpay",
  reference: "att_01jd8q2v7w9x0y1z2a3b4c5d6e",
  merchantId: "mer_01jd8q2v7w9x0y1z2a3b4c5d6e",
  paymentId: "pay_01jd8q2v7w9x0y1z2a3b4c5d6e",
  amount: 129_900n,
  currency: "EUR",
  token: "tok_01jd8q2v7w9x0y1z2a3b4c5d6e",
  capture: true,
  merchantReference: "order ".repeat(25),
};
const answer = {
  outcome: { kind: OutcomeKind.APPROVED, responseCode: "00", authCode: "A1B2C3", processorReference: "ch_01jd8q2v7w9x0y1z2a3b4c5d6e" },
};
const authorize = ConnectorService.method.authorize;

const role = process.argv[2];
if (role === "server") await serve(required(process.argv[3], "certificates"));
else await measureAll();

async function serve(certificates: string): Promise<void> {
  const tls = loadTls(certificates, "vault");
  const unused = async () => ({});
  const others = {
    ...{ capture: unused, void: unused, refund: unused, reverse: unused, query: unused, ping: unused },
    ...{ listConnectors: unused, grantLinks: unused, applySecrets: unused },
  };
  const implementation = implement(ConnectorService, { authorize: async () => answer, watchNews: async function* () {}, ...others });
  const echo = {
    kind: "unary",
    name: echoPath.slice(1),
    run: async (body: Uint8Array) => body,
    encoder: asIsEncoder as BodyEncoder<unknown>,
  } as const;
  const services = [{ ...implementation, methods: [...implementation.methods, echo] }];
  const policy = { switch: ["florin.connectors.v1.ConnectorService/*", echoPath.slice(1)] };
  const florin = await startRpcServer({ host: "127.0.0.1", port: 0, tls, services, policy, allowInsecure: false, logger });
  const raw = new Server(serverOptions);
  const definition = {
    path: echoPath,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
  } as const;
  raw.addService(
    { echo: { ...definition, responseSerialize: asIs, responseDeserialize: asIs } },
    { echo: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => callback(null, call.request) },
  );
  const credentials = serverCredentials(tls, { initialWindowSize: windowBytes, maxConcurrentStreams: streamsPerConnectionMax });
  const rawPort = await new Promise<number>((resolve, reject) => {
    raw.bindAsync("127.0.0.1:0", credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
  process.on("message", () => process.send?.({ cpuMicros: cpuMicrosNow() } satisfies CpuAnswer));
  process.on("disconnect", () => process.exit(0));
  process.send?.({ florin: florin.port, raw: rawPort } satisfies Ports);
}

async function measureAll(): Promise<void> {
  const rounds = numberOption("--rounds", 7);
  const seconds = numberOption("--seconds", 1);
  const certificates = mkdtempSync(join(tmpdir(), "florin-bench-"));
  await makeCertificates({ directory: certificates, names: ["switch", "vault"] });
  const profile = process.argv.includes("--profile") ? ["--cpu-prof", "--cpu-prof-dir", join(tmpdir(), "florin-bench-profile")] : [];
  const server = fork(fileURLToPath(import.meta.url), ["server", certificates], { execArgv: profile });
  try {
    const ports = await next<Ports>(server);
    const clients = await connect(certificates, ports);
    const results = [1, 64, 256].map((inFlight) => ({ inFlight, rows: new Map<string, Round[]>() }));
    for (const { inFlight, rows } of results) {
      for (const [name, call] of clients.calls) await runFor(call, inFlight, seconds / 2, server).then(() => rows.set(name, []));
      for (let round = 0; round < rounds; round += 1) {
        for (const [name, call] of clients.calls) rows.get(name)?.push(await runFor(call, inFlight, seconds, server));
      }
    }
    report(results);
    await clients.close();
  } finally {
    server.disconnect();
    rmSync(certificates, { recursive: true, force: true });
  }
}

type Call = () => Promise<unknown>;

async function connect(certificates: string, ports: Ports): Promise<{ calls: Map<string, Call>; close(): Promise<void> }> {
  const tls = loadTls(certificates, "switch");
  const options = { address: `127.0.0.1:${ports.florin}`, tls, logger, peerName: "vault" };
  const framed = connectFramed(ConnectorService, options);
  const unary = connectUnary(ConnectorService, options);
  const florin = openChannel(options);
  const raw = openChannel({ ...options, address: `127.0.0.1:${ports.raw}` });
  const waitForReady = new Metadata({ waitForReady: true });
  const link = new FrameLink({
    address: options.address,
    open: () => florin.makeBidiStreamRequest("/florin.frames.v1.FrameService/Exchange", asIs, asIs, waitForReady),
    logger,
  });
  await Promise.all([framed.untilConnected(5_000), link.untilConnected(5_000)]);
  const body = toBinary(authorize.input, create(authorize.input, request));
  if (body.length !== bodySizeBytes) throw new Error(`the body has ${body.length} bytes`);
  const bytes = Buffer.from(body);
  const echo300 = { name: echoPath.slice(1), encoder: asIsEncoder, decode: (answered: Uint8Array) => answered };
  const echo = () =>
    new Promise<void>((resolve, reject) => {
      raw.makeUnaryRequest(echoPath, asIs, asIs, bytes, new Metadata(), { deadline: Date.now() + timeoutMs }, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  const calls = new Map<string, Call>([
    ["unary", echo],
    ["framed bytes", () => link.call(echo300, body, { timeoutMs })],
    ["framed messages", () => framed.authorize(request, { timeoutMs })],
    ["unary messages", () => unary.authorize(request, { timeoutMs })],
  ]);
  const close = async () => {
    await Promise.all([framed.close(), unary.close(), link.close()]);
    florin.close();
    raw.close();
  };
  return { calls, close };
}

/** A closed loop of `inFlight` callers for `seconds`. */
async function runFor(call: Call, inFlight: number, seconds: number, server: ChildProcess): Promise<Round> {
  const serverBefore = await serverCpu(server);
  const clientBefore = cpuMicrosNow();
  const startedAtMs = performance.now();
  const endMs = startedAtMs + seconds * 1_000;
  let count = 0;
  const caller = async () => {
    while (performance.now() < endMs) {
      await call();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const elapsedSeconds = (performance.now() - startedAtMs) / 1_000;
  const clientMicros = (cpuMicrosNow() - clientBefore) / count;
  const serverMicros = ((await serverCpu(server)) - serverBefore) / count;
  return { cpuMicrosPerRequest: clientMicros + serverMicros, clientMicros, serverMicros, perSecond: count / elapsedSeconds };
}

async function serverCpu(server: ChildProcess): Promise<number> {
  server.send("cpu");
  return (await next<CpuAnswer>(server)).cpuMicros;
}

function next<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve) => child.once("message", (message) => resolve(message as T)));
}

function report(results: readonly { readonly inFlight: number; readonly rows: ReadonlyMap<string, readonly Round[]> }[]): void {
  const table = results.flatMap(({ inFlight, rows }) => {
    const ruler = required(rows.get("unary"), "unary");
    return [...rows].map(([name, rounds]) => ({
      inFlight,
      name,
      cpuMicrosPerRequest: round2(median(rounds.map((round) => round.cpuMicrosPerRequest))),
      clientMicros: round2(median(rounds.map((round) => round.clientMicros))),
      serverMicros: round2(median(rounds.map((round) => round.serverMicros))),
      perSecond: Math.round(median(rounds.map((round) => round.perSecond))),
      ratioToUnary: round3(
        median(rounds.map((round, index) => round.cpuMicrosPerRequest / required(ruler[index], "ruler").cpuMicrosPerRequest)),
      ),
    }));
  });
  if (process.argv.includes("--json")) console.log(JSON.stringify({ bodySizeBytes, rows: table }, undefined, 2));
  else console.table(table);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return required(sorted[Math.floor(sorted.length / 2)], "a value");
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function numberOption(name: string, otherwise: number): number {
  const index = process.argv.indexOf(name);
  return index === -1 ? otherwise : Number(process.argv[index + 1]);
}
