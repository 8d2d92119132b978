/** What the benches of the edge share: servers in child processes, and raw keep-alive connections with one request in flight on each. */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "@florin/runtime/tls";
import { keyRandomBytes, makeSecretKey } from "../../src/domain/api-key.ts";

const { secretKey } = makeSecretKey("test", randomBytes(keyRandomBytes));
const headEnd = Buffer.from("\r\n\r\n");

let number = 0;
/** An authorization with a key and a reference of its own. */
export function nextRequest(port: number): string {
  const name = `bench-${process.pid}-${++number}`;
  const body = `{"amount":${1_000 + (number % 9_000)},"currency":"EUR","payment_method":{"type":"card","token":"tok_visa_4242"},"capture_mode":"manual","merchant_reference":"${name}"}`;
  return (
    `POST /v1/payments/authorize HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${secretKey}\r\ncontent-type: application/json\r\n` +
    `accept: application/json\r\nidempotency-key: ${name}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  );
}

export type Lane = { send(request: string): void; close(): void };

/** `onAnswer`: an answer has come whole, and the lane is free. A connection that ends before we close it goes to `onError`. */
export function openLane(port: number, onAnswer: (answer: string, lane: Lane) => void, onError: (error: Error) => void): Lane {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  let isOurs = true;
  const close = (): void => {
    isOurs = false;
    socket.destroy();
  };
  const lane: Lane = { send: (request) => void socket.write(request, "latin1"), close };
  let rest = Buffer.alloc(0);
  socket.on("error", onError).on("close", () => {
    if (isOurs) onError(new Error("the server closed a connection"));
  });
  socket.on("data", (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = rest.indexOf(headEnd);
    if (end < 0) return;
    const head = rest.toString("latin1", 0, end);
    if (rest.length < end + headEnd.length + Number(/content-length: *(\d+)/i.exec(head)?.[1])) return;
    const answer = rest.toString("latin1");
    rest = Buffer.alloc(0);
    onAnswer(answer, lane);
  });
  return lane;
}

const children: ChildProcess[] = [];

/** A child process of the file beside this one. Resolves with what it tells first. */
function start<T>(file: string, words: readonly string[]): Promise<{ child: ChildProcess; told: T }> {
  const child = fork(new URL(file, import.meta.url), [...words], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once("message", (told) => resolve({ child, told: told as T }));
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)));
  });
}

export type Servers = {
  /** Of servers.ts, by its name; it knows our key. */
  readonly start: (kind: string) => Promise<{ child: ChildProcess; port: number }>;
  /** Of the switch behind all of them. */
  readonly answerBytes: number;
};

/** A switch that approves at once, behind mutual TLS, and whatever servers `work` starts before it. All of them end with it. */
export async function withServers(work: (servers: Servers) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "florin-edge-bench-"));
  try {
    await makeCertificates({ directory, names: ["switch", "edge"] });
    const { told } = await start<{ port: number; answerBytes: number }>("./fake-switch.ts", [directory]);
    const startKind = async (kind: string) => {
      const server = await start<{ port: number }>("./servers.ts", [kind, secretKey, `127.0.0.1:${told.port}`, directory]);
      return { child: server.child, port: server.told.port };
    };
    await work({ start: startKind, answerBytes: told.answerBytes });
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
    rmSync(directory, { recursive: true, force: true });
  }
}

export function usageOf(child: ChildProcess): Promise<{ cpuUs: number; rssBytes: number }> {
  return new Promise((resolve) => {
    child.once("message", (usage) => resolve(usage as { cpuUs: number; rssBytes: number }));
    child.send("usage");
  });
}
