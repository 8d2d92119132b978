/**
 * One owner of the live links: real connectors processes, the simulator's host, and between each of them and the host a wire that notes what
 * passes. The test is the switch: it grants, or does not.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { ConnectorService, GrantResult } from "@florin/gen/connectors/v1/connectors";
import { connectFramed } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { freePort, temporaryFolder, untilTrue } from "@florin/runtime/testing";
import { loadTls, makeCertificates } from "@florin/runtime/tls";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type SimulatorProcess, startSimulator } from "./start-simulator.ts";

const logger = createLogger({ service: "test", level: "silent" });
const macKeyHex = randomBytes(16).toString("hex");
const validForMs = 3_000;
const renewEveryMs = 200;
const patienceMs = 10_000;
const options = { timeoutMs: 2_000 };

/** What a processor sees of one connectors process. */
type Wire = { readonly port: number; readonly signedOn: Set<Socket>; readonly said: string[]; readonly server: Server };
type Running = {
  readonly name: string;
  readonly wire: Wire;
  readonly child: ChildProcess;
  readonly client: ReturnType<typeof connectTo>;
};

let simulator: SimulatorProcess;
let hostPort: number;
let certificates: string;
const running: Running[] = [];
const sockets = new Set<Socket>();
/** Sign-ons of one process while another was signed on. */
const overlaps: string[] = [];

const connectTo = (port: number) =>
  connectFramed(ConnectorService, { address: `127.0.0.1:${port}`, tls: loadTls(certificates, "switch"), logger });

beforeAll(async () => {
  certificates = temporaryFolder();
  await makeCertificates({ directory: certificates, names: ["connectors", "switch"] });
  hostPort = await freePort();
  simulator = await startSimulator({ iso8583: { port: hostPort, macKeyHex } });
});
beforeEach(() => {
  overlaps.length = 0;
});
afterAll(async () => {
  for (const { child, wire, client } of running) {
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await client.close();
    wire.server.close();
  }
  for (const socket of sockets) socket.destroy();
  await simulator?.stop();
});

/** A message about the link has a length of two bytes before it and its code at the end. */
function codesIn(chunk: Buffer): readonly string[] {
  const codes: string[] = [];
  for (let at = 0; at + 2 <= chunk.length; ) {
    const end = at + 2 + chunk.readUInt16BE(at);
    const mti = chunk.toString("latin1", at + 2, at + 6);
    codes.push(mti === "0800" ? chunk.toString("latin1", end - 3, end) : mti);
    at = end;
  }
  return codes;
}

async function startWire(name: string): Promise<Wire> {
  const signedOn = new Set<Socket>();
  const said: string[] = [];
  const server = createServer((socket) => {
    const host = connect(hostPort, "127.0.0.1");
    for (const one of [socket, host]) {
      sockets.add(one);
      one.on("error", () => one.destroy());
    }
    socket.on("data", (chunk) => {
      for (const code of codesIn(chunk)) {
        said.push(code);
        if (code === "001") {
          for (const other of running)
            if (other.name !== name && other.wire.signedOn.size > 0) overlaps.push(`${name} beside ${other.name}`);
          signedOn.add(socket);
        }
        if (code === "002") signedOn.delete(socket);
      }
      host.write(chunk);
    });
    socket.on("close", () => {
      signedOn.delete(socket);
      host.destroy();
    });
    host.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, signedOn, said, server };
}

async function start(name: string): Promise<Running> {
  const [wire, grpcPort] = await Promise.all([startWire(name), freePort()]);
  const child = spawn(process.execPath, [new URL("../src/main.ts", import.meta.url).pathname], {
    env: {
      ...process.env,
      FLORIN_TLS_DIR: certificates,
      FLORIN_GRPC_PORT: String(grpcPort),
      FLORIN_ADMIN_PORT: "0",
      FLORIN_VAULT_ADDRESS: "127.0.0.1:1",
      FLORIN_SIMISO_ADDRESS: `tcp://127.0.0.1:${wire.port}`,
      FLORIN_SIMISO_MAC_KEY: macKeyHex,
      FLORIN_SIMISO_LINKS: "2",
      FLORIN_LOG_LEVEL: "error",
      FLORIN_DIE_WITH_PARENT: "1",
    },
    stdio: ["pipe", "inherit", "inherit"],
  });
  const client = connectTo(grpcPort);
  const one = { name, wire, child, client };
  running.push(one);
  expect(await client.untilConnected(15_000)).toBe(true);
  return one;
}

/** Grants once, as the switch does: asks who is there and what o'clock it is, and grants from then on. */
async function grant({ client }: Running, term: bigint): Promise<GrantResult> {
  const { processId, clockMs } = await client.grantLinks({ connector: "simiso" }, options);
  return (await client.grantLinks({ connector: "simiso", term, validForMs, processId, clockMs }, options)).result;
}

/** Until stopped; answers when the last grant is over. */
function keepGranting(to: Running, term: bigint): () => Promise<number> {
  let isStopped = false;
  let overAtMs = 0;
  const loop = (async () => {
    while (!isStopped) {
      expect(await grant(to, term)).toBe(GrantResult.HELD);
      overAtMs = performance.now() + validForMs;
      await new Promise((resolve) => setTimeout(resolve, renewEveryMs));
    }
    return overAtMs;
  })();
  return () => {
    isStopped = true;
    return loop;
  };
}

const until = (atMs: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, atMs - performance.now())));
const isSignedOn = ({ wire }: Running) => wire.signedOn.size === 2;
const find = (name: string): Running => {
  const one = running.find((each) => each.name === name);
  if (one === undefined) throw new Error(`${name} does not run`);
  return one;
};

test("which connectors have live links is told, and without a grant nobody signs on", async () => {
  const [a, b] = await Promise.all([start("a"), start("b")]);
  const { connectors } = await a.client.listConnectors({}, options);
  expect(connectors.map(({ name, capabilities }) => [name, capabilities?.liveLinks])).toEqual([["simiso", true]]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect([a.wire.said, b.wire.said]).toEqual([[], []]);
});

test("whose grants cease signs off by itself, and the one that is granted then is alone", async () => {
  const [a, b] = [find("a"), find("b")];
  const stopA = keepGranting(a, 1n);
  await untilTrue(() => isSignedOn(a), patienceMs);
  const overAtMs = await stopA();
  await until(overAtMs);
  expect(a.wire.signedOn.size).toBe(0);
  expect(a.wire.said.filter((code) => code === "002").length).toBe(2);
  const stopB = keepGranting(b, 2n);
  await untilTrue(() => isSignedOn(b), patienceMs);
  expect([a.wire.signedOn.size, overlaps]).toEqual([0, []]);
  await stopB();
});

test("while it is granted again and again, it stays signed on, and nobody else does", async () => {
  const [a, b] = [find("a"), find("b")];
  const stop = keepGranting(b, 2n);
  await untilTrue(() => isSignedOn(b), patienceMs);
  const before = [...b.wire.said];
  await new Promise((resolve) => setTimeout(resolve, validForMs + 1_000));
  expect(isSignedOn(b)).toBe(true);
  expect(b.wire.said.slice(before.length).filter((code) => code === "001" || code === "002")).toEqual([]);
  expect([a.wire.signedOn.size, overlaps]).toEqual([0, []]);
  await stop();
});

test("after kill -9 of the owner another one takes over", async () => {
  const [a, b] = [find("a"), find("b")];
  const stopB = keepGranting(b, 2n);
  await untilTrue(() => isSignedOn(b), patienceMs);
  const overAtMs = await stopB();
  b.child.kill("SIGKILL");
  await untilTrue(() => b.wire.signedOn.size === 0, patienceMs);
  await until(overAtMs);
  const stopA = keepGranting(a, 3n);
  await untilTrue(() => isSignedOn(a), patienceMs);
  await stopA();
  expect(overlaps).toEqual([]);
});

test("a lower term is refused, and without a switch for longer than the validity nobody is signed on", async () => {
  const a = find("a");
  const stop = keepGranting(a, 3n);
  await untilTrue(() => isSignedOn(a), patienceMs);
  const overAtMs = await stop();
  expect(await grant(a, 2n)).toBe(GrantResult.LOWER_TERM);
  await until(overAtMs);
  expect(a.wire.signedOn.size).toBe(0);
  expect(await grant(a, 2n)).toBe(GrantResult.LOWER_TERM);
  const { length } = a.wire.said;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(a.wire.said.length).toBe(length);
});

test("a process that stood still for longer than its grant says nothing more, also when a grant was waiting for it", async () => {
  const [a, c] = [find("a"), await start("c")];
  const stop = keepGranting(a, 4n);
  await untilTrue(() => isSignedOn(a), patienceMs);
  const overAtMs = await stop();
  const { processId, clockMs } = await a.client.grantLinks({ connector: "simiso" }, options);
  a.child.kill("SIGSTOP");
  const late = a.client.grantLinks({ connector: "simiso", term: 4n, validForMs, processId, clockMs }, { timeoutMs: 20_000 });
  await until(overAtMs + 500);
  // The processor still counts it as signed on, and would let it speak.
  expect(isSignedOn(a)).toBe(true);
  expect(await grant(c, 5n)).toBe(GrantResult.HELD);
  await untilTrue(() => isSignedOn(c), patienceMs);
  const { length } = a.wire.said;
  a.child.kill("SIGCONT");
  expect((await late).result).toBe(GrantResult.EXPIRED);
  await untilTrue(() => a.wire.signedOn.size === 0, patienceMs);
  expect(a.wire.said.length).toBe(length);
});
