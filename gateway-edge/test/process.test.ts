/** The process itself: `node gateway-edge/src/main.ts`, its health, and that a drain leaves no request unanswered. */
import { type ChildProcess, spawn } from "node:child_process";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { freePort, untilTrue } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { authorizeBody, call, done, openStage, pepper, type Stage } from "./stage.ts";

let stage: Stage;
let secretKey: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  stage = await openStage();
  ({ secretKey } = await stage.newKey());
});
afterAll(() => stage?.stop());
beforeEach(() => stage.script.reset());
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

type EdgeProcess = {
  readonly url: string;
  readonly adminUrl: string;
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
};

async function startProcess(env: Record<string, string> = {}): Promise<EdgeProcess> {
  const [httpPort, adminPort] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, [new URL("../src/main.ts", import.meta.url).pathname], {
    env: {
      PATH: process.env["PATH"],
      FLORIN_HTTP_PORT: String(httpPort),
      FLORIN_ADMIN_PORT: String(adminPort),
      FLORIN_DATABASE_URL: stage.appUrl,
      FLORIN_SWITCH_ADDRESS: stage.switchAddress,
      FLORIN_TLS_DIR: stage.tlsDirectory,
      FLORIN_API_KEY_PEPPER: pepper,
      FLORIN_DRAIN_GRACE_MS: "300",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  return { url: `http://127.0.0.1:${httpPort}`, adminUrl, child, output: () => output, ended };
}

const isReady = (edge: EdgeProcess) => async () => (await fetch(`${edge.adminUrl}/health/ready`)).status === 200;

describe("the process", () => {
  test("says everything that is wrong with its settings, and no secret", async () => {
    const edge = await startProcess({ FLORIN_API_KEY_PEPPER: "abc", FLORIN_SWITCH_ADDRESS: "", FLORIN_RATE_PER_KEY_BURST: "0" });
    expect(await edge.ended).not.toBe(0);
    for (const name of ["FLORIN_API_KEY_PEPPER", "FLORIN_SWITCH_ADDRESS", "FLORIN_RATE_PER_KEY_BURST"])
      expect(edge.output()).toContain(name);
  });

  test("does not start in production without mutual TLS to the switch, and starts with it", async () => {
    const bare = await startProcess({ FLORIN_ENVIRONMENT: "production", FLORIN_TLS_DIR: "off" });
    expect(await bare.ended).not.toBe(0);
    expect(bare.output()).toContain("mutual TLS is off");
    const guarded = await startProcess({ FLORIN_ENVIRONMENT: "production" });
    await untilTrue(isReady(guarded), 20_000);
  });

  test("takes no more connections than it may", async () => {
    const edge = await startProcess({ FLORIN_HTTP_CONNECTIONS_MAX: "2" });
    await untilTrue(isReady(edge), 20_000);
    const port = Number(new URL(edge.url).port);
    const open = () => {
      const socket = connect({ host: "127.0.0.1", port });
      return { socket, closed: new Promise((resolve) => socket.once("close", () => resolve("closed")).once("error", () => undefined)) };
    };
    const [first, second] = [open(), open()];
    await Promise.all([first, second].map(({ socket }) => new Promise((resolve) => socket.once("connect", resolve))));
    expect(await open().closed).toBe("closed");
    // One that goes makes room for another.
    first.socket.destroy();
    const isServed = () =>
      call(edge, "GET", "/openapi.json", { headers: { connection: "close" } }).then(
        ({ status }) => status === 200,
        () => false,
      );
    await untilTrue(isServed, 5_000);
    second.socket.destroy();
  });

  test("is ready while the switch is there, degraded without its database, and measures itself", async () => {
    const edge = await startProcess();
    await untilTrue(isReady(edge), 20_000);
    expect((await call(edge, "POST", "/v1/payments/authorize", { secretKey, body: authorizeBody })).status).toBe(201);
    expect(await (await fetch(`${edge.adminUrl}/health/ready`)).json()).toEqual({ ready: true, parts: { switch: "up", database: "up" } });
    expect((await fetch(`${edge.adminUrl}/health/live`)).status).toBe(200);
    expect(await (await fetch(`${edge.adminUrl}/metrics`)).text()).toMatch(/edge_requests_total\{[^}]*authorizeNewPayment[^}]*\} 1/);
    await stage.stopSwitch();
    await untilTrue(async () => (await fetch(`${edge.adminUrl}/health/ready`)).status === 503, 20_000);
    await stage.startSwitch();
    await untilTrue(isReady(edge), 20_000);
    edge.child.kill("SIGTERM");
    expect(await edge.ended).toBe(0);
    // One line per request would be there at debug only.
    expect(edge.output()).not.toContain("request answered");
    expect(edge.output()).not.toContain(secretKey.slice(25));
  });

  test("a drain answers what is in flight and what still comes in on open connections, and then ends with 0", async () => {
    const edge = await startProcess();
    await untilTrue(isReady(edge), 20_000);
    stage.script.operation = async () => {
      await new Promise((resolve) => setTimeout(resolve, 700));
      return done();
    };
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    const inFlight = Array.from({ length: 40 }, (_, index) => send(edge.url, agent, `drain-${index}`));
    await untilTrue(() => stage.script.received.length === 40, 5_000);
    edge.child.kill("SIGTERM");
    // The port is still open for the grace time, and its answers say goodbye.
    const late = Array.from({ length: 20 }, (_, index) => send(edge.url, agent, `late-${index}`));
    const answers = await Promise.all([...inFlight, ...late]);
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 60 }, () => 201));
    expect(answers.slice(0, 40).map(({ connection }) => connection)).toEqual(Array.from({ length: 40 }, () => "close"));
    expect(await edge.ended).toBe(0);
    agent.destroy();
    await expect(fetch(edge.url)).rejects.toThrow();
  });
});

function send(url: string, agent: Agent, key: string): Promise<{ status: number | undefined; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${secretKey}`, "content-type": "application/json", "idempotency-key": key };
    const outgoing = httpRequest(`${url}/v1/payments/authorize`, { method: "POST", agent, headers }, (answer) => {
      answer.resume().on("end", () => resolve({ status: answer.statusCode, connection: answer.headers.connection }));
    });
    outgoing.on("error", reject).end(JSON.stringify(authorizeBody));
  });
}
