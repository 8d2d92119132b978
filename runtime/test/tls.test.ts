/** Who gets in: only a certificate of our CA, over TLS 1.3, under a name that the policy knows. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as dialTls, type SecureVersion, type TLSSocket } from "node:tls";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { AppError } from "@florin/kernel";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ConnectOptions, connectFramed, connectUnary } from "../src/rpc/index.ts";
import { loadTls, makeCertificates } from "../src/tls/index.ts";
import { logger, makeStage, type Script, type Stage } from "./rpc-fixture.ts";

let stage: Stage;
let address: string;
let port: number;
let script: Script;
let strangers: string;

beforeAll(async () => {
  stage = await makeStage();
  const started = await stage.start();
  ({ address, script } = started);
  port = started.server.port;
  strangers = mkdtempSync(join(tmpdir(), "florin-strangers-"));
  await makeCertificates({ directory: strangers, names: ["switch", "vault"] });
});

afterAll(async () => {
  await stage.close();
  rmSync(strangers, { recursive: true, force: true });
});

/** A unary and a framed call with these options, as code/work. */
async function bothWays(options: ConnectOptions): Promise<string[]> {
  const unary = connectUnary(VaultService, options);
  const framed = connectFramed(VaultService, options);
  const isConnected = await framed.untilConnected(700);
  const codes = await Promise.all(
    [unary, framed].map((way) =>
      way.describeToken({ token: "visa" }, { timeoutMs: 2_000 }).then(
        () => "answered",
        (error: unknown) => (error instanceof AppError ? error.code : String(error)),
      ),
    ),
  );
  await Promise.all([unary.close(), framed.close()]);
  return [...codes, isConnected ? "connected" : "not connected"];
}

/** What a bare TLS client gets: the protocol, or why it was turned away. */
function handshake(o: { name?: string; maxVersion?: SecureVersion }): Promise<string> {
  const own = o.name === undefined ? {} : { cert: loadTls(stage.directory, o.name), key: loadTls(stage.directory, o.name) };
  const { ca } = loadTls(stage.directory, "switch") as { ca: Buffer };
  const pair = own.cert?.kind === "mutual" ? { cert: own.cert.certificate, key: own.cert.key } : {};
  const version = o.maxVersion === undefined ? {} : { minVersion: "TLSv1.2" as const, maxVersion: o.maxVersion };
  return new Promise((resolve) => {
    const socket: TLSSocket = dialTls({ host: "127.0.0.1", port, servername: "localhost", ca, ALPNProtocols: ["h2"], ...pair, ...version });
    // With TLS 1.3 a client learns only after its handshake that its certificate was refused; an accepted one is sent HTTP/2 settings.
    socket.once("data", () => {
      resolve(socket.getProtocol() ?? "none");
      socket.destroy();
    });
    socket.once("error", () => resolve("refused"));
    socket.once("close", () => resolve("refused"));
  });
}

test("a certificate of our CA is let in over TLS 1.3", async () => {
  expect(await handshake({ name: "switch" })).toBe("TLSv1.3");
  expect(await bothWays(stage.options(address))).toEqual(["answered", "answered", "connected"]);
});

test("no certificate, no answer", async () => {
  expect(await handshake({})).toBe("refused");
});

test("TLS 1.2 is refused", async () => {
  expect(await handshake({ name: "switch", maxVersion: "TLSv1.2" })).toBe("refused");
});

test("a client with a certificate of another CA is refused, and refuses us", async () => {
  const options = { address, tls: loadTls(strangers, "switch"), logger };
  const before = script.started.length;
  expect((await bothWays(options)).slice(1)).toEqual(["unavailable", "not connected"]);
  const theirs = loadTls(strangers, "switch");
  const ours = loadTls(stage.directory, "switch");
  if (theirs.kind !== "mutual" || ours.kind !== "mutual") throw new Error("certificates");
  // It trusts our CA, but shows a certificate of its own.
  expect((await bothWays({ address, tls: { ...theirs, ca: ours.ca }, logger })).slice(1)).toEqual(["unavailable", "not connected"]);
  expect(script.started).toHaveLength(before);
});

test("plaintext is refused", async () => {
  expect((await bothWays({ address, tls: { kind: "off" }, logger })).slice(1)).toEqual(["unavailable", "not connected"]);
  const answer = await new Promise<string>((resolve) => {
    const socket = dial(port, "127.0.0.1", () => socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
  expect(answer).not.toContain("grpc");
});

test("a server that is not the expected peer is refused before anything is sent", async () => {
  const { tls } = stage.options(address);
  const before = script.started.length;
  expect(await bothWays({ address, tls, logger, peerName: "connectors" })).toEqual(["unavailable", "unavailable", "not connected"]);
  expect(script.started).toHaveLength(before);
});

test("a host name that the certificate does not carry is refused", async () => {
  const { tls } = stage.options(address);
  const impostor = await stage.start({ host: "127.0.0.2" });
  const other = impostor.address.replace("127.0.0.1", "127.0.0.2");
  expect(await bothWays({ address: other, tls, logger })).toEqual(["unavailable", "unavailable", "not connected"]);
});

test("health and reflection too are for callers with a certificate only", async () => {
  const { ca } = loadTls(stage.directory, "switch") as { ca: Buffer };
  const client = new Client(address, credentials.createSsl(ca), { "grpc.ssl_target_name_override": "localhost" });
  const check = new Promise<number>((resolve) => {
    const asIs = (bytes: Buffer) => bytes;
    const deadline = Date.now() + 2_000;
    client.makeUnaryRequest("/grpc.health.v1.Health/Check", asIs, asIs, Buffer.alloc(0), { deadline } as object, (error) =>
      resolve(error?.code ?? 0),
    );
  });
  expect(await check).toBe(14);
  client.close();
});
