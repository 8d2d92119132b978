/**
 * Who gets into a running stack: every internal listener, met with every kind of wrong certificate and without any. Nothing is answered, not even
 * health. In the end certificates are renewed and one is revoked while payments go on.
 */
import { readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as dialTls, type SecureVersion } from "node:tls";
import { ConnectorService } from "@florin/gen/connectors/v1/connectors";
import { EventLogService } from "@florin/gen/events/v1/events";
import { LedgerService } from "@florin/gen/ledger/v1/ledger";
import { PaymentService } from "@florin/gen/payments/v1/payments";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { AppError } from "@florin/kernel";
import { connectFramed, connectUnary } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { issueCertificate, temporaryFolder, writeRevocations } from "@florin/runtime/testing";
import { loadTls, makeCertificates, type TlsSetting } from "@florin/runtime/tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authorizeBody, call, type Stack, startStack, untilTrue } from "./stack.ts";

const logger = createLogger({ service: "test", level: "silent" });
let stack: Stack;
let addresses: Readonly<Record<string, string>>;
let directory: string;
let strangers: string;

beforeAll(async () => {
  stack = await startStack({ profile: "embedded" });
  addresses = JSON.parse(readFileSync(join(stack.directory, "addresses.json"), "utf8")) as Readonly<Record<string, string>>;
  directory = addresses["tlsDirectory"] as string;
  strangers = temporaryFolder();
  const names = ["edge", "switch", "connectors", "ledger", "client", "operator"];
  await makeCertificates({ directory: strangers, names });
  await issueCertificate({ directory, name: "switch", file: "expired", lifeMs: -60_000 });
  await issueCertificate({ directory, name: "nobody", file: "nobody", lifeMs: 600_000 });
});

afterAll(async () => {
  await stack?.stop();
});

/** Of each listener: who may call, and a question of its own. */
const listeners = {
  switch: { address: "switchAddress", friend: "edge", service: PaymentService, method: "getPayment" },
  connectors: { address: "connectorsAddress", friend: "switch", service: ConnectorService, method: "ping" },
  vault: { address: "vaultAddress", friend: "switch", service: VaultService, method: "describeToken" },
  ledger: { address: "ledgerAddress", friend: "edge", service: LedgerService, method: "trialBalance" },
} as const;
type Listener = keyof typeof listeners;
type Asked = Readonly<Record<string, (request: object, options: { timeoutMs: number }) => Promise<unknown>>>;

/** A unary call and a framed one: the code of each, or "answered" also for a business answer. */
async function ask(listener: Listener, tls: TlsSetting): Promise<readonly string[]> {
  const { service, method } = listeners[listener];
  const o = { address: addressOf(listener), tls, logger, peerName: listener };
  const unary = connectUnary(service, o);
  const framed = connectFramed(service, o);
  await framed.untilConnected(500);
  const codeOf = (way: unknown): Promise<string> =>
    ((way as Asked)[method] as Asked[string])({}, { timeoutMs: 2_000 }).then(
      () => "answered",
      (thrown: unknown) => (thrown instanceof AppError ? thrown.code : String(thrown)),
    );
  const codes = await Promise.all([unary, framed].map(codeOf));
  await Promise.all([unary.close(), framed.close()]);
  const refusals = ["unavailable", "caller_not_allowed", "deadline_exceeded", "peer_lost"];
  return codes.map((code) => (refusals.includes(code) ? "refused" : "answered"));
}

const addressOf = (listener: Listener): string => addresses[listeners[listener].address] as string;

/** Our CA, another's certificate: the caller trusts the server, so that the server has to do the refusing. */
function shown(folder: string, file: string): TlsSetting {
  const other = loadTls(folder, file);
  return other.kind === "mutual" ? { ...other, ca: readFileSync(join(directory, "ca.pem")) } : other;
}

/** What a bare TLS client gets: data, or nothing. */
function handshake(listener: Listener, o: { file?: string; version?: SecureVersion }): Promise<string> {
  const own = o.file === undefined ? undefined : loadTls(directory, o.file);
  const pair = own?.kind === "mutual" ? { cert: own.certificate, key: own.key } : {};
  const old = o.version === undefined ? {} : { minVersion: o.version, maxVersion: o.version, ciphers: "DEFAULT@SECLEVEL=0" };
  const ca = readFileSync(join(directory, "ca.pem"));
  return outcomeOf(dialTls({ ...placeOf(listener), servername: "localhost", ca, ALPNProtocols: ["h2"], ...pair, ...old }));
}

function plaintext(listener: Listener): Promise<string> {
  const socket = connect(placeOf(listener), () => socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  return outcomeOf(socket);
}

/** An HTTP/2 server begins with a settings frame (type 4) as soon as a caller is in. */
function outcomeOf(socket: ReturnType<typeof connect>): Promise<string> {
  return new Promise((resolve) => {
    socket.on("data", (bytes: Buffer) => {
      resolve(bytes[3] === 4 ? "let in" : "refused");
      socket.destroy();
    });
    socket.on("error", () => resolve("refused"));
    socket.on("close", () => resolve("refused"));
  });
}

function placeOf(listener: Listener): { host: string; port: number } {
  const [host = "", port = ""] = addressOf(listener).split(":");
  return { host, port: Number(port) };
}

describe.each(Object.keys(listeners) as Listener[])("the %s's listener", (listener) => {
  const { friend } = listeners[listener];

  test("answers who may call, over TLS 1.3", async () => {
    expect(await ask(listener, loadTls(directory, friend))).toEqual(["answered", "answered"]);
    expect(await handshake(listener, { file: friend })).toBe("let in");
  });

  test("refuses plaintext, a caller without certificate, and TLS before 1.3", async () => {
    expect(await ask(listener, { kind: "off" })).toEqual(["refused", "refused"]);
    expect(await plaintext(listener)).toBe("refused");
    expect(await handshake(listener, {})).toBe("refused");
    for (const version of ["TLSv1.2", "TLSv1.1", "TLSv1"] as const)
      expect(await handshake(listener, { file: friend, version })).toBe("refused");
  });

  test("refuses certificates of another CA, expired ones, and names that may not call", async () => {
    expect(await ask(listener, shown(strangers, friend))).toEqual(["refused", "refused"]);
    expect(await ask(listener, loadTls(directory, "expired"))).toEqual(["refused", "refused"]);
    for (const name of ["nobody", "simulator", listener])
      expect(await ask(listener, loadTls(directory, name))).toEqual(["refused", "refused"]);
  });
});

test("only the ledger follows the payment log", async () => {
  for (const [name, outcome] of [
    ["edge", "refused"],
    ["vault", "refused"],
    ["ledger", "answered"],
  ] as const) {
    const client = connectUnary(EventLogService, {
      address: addressOf("switch"),
      tls: loadTls(directory, name),
      logger,
      peerName: "switch",
    });
    const abort = new AbortController();
    const followed = client.subscribe({}, { signal: abort.signal })[Symbol.asyncIterator]().next();
    expect([
      name,
      await followed.then(
        () => "answered",
        () => "refused",
      ),
    ]).toEqual([name, outcome]);
    abort.abort();
    await client.close();
  }
});

test("certificates are renewed while payments go on, and none is lost", async () => {
  let paid = 0;
  const others: string[] = [];
  let isOver = false;
  const load = [1, 2].map(async () => {
    while (!isOver) {
      const answer = await call(stack, "POST", "/v1/payments/authorize", authorizeBody());
      if (answer.status === 201) paid += 1;
      else others.push(`${answer.status} ${answer.text}`);
    }
  });
  const names = ["edge", "switch", "connectors", "vault", "ledger"];
  for (const name of names) rmSync(join(directory, `${name}.pem`));
  await makeCertificates({ directory, names });
  const renewed = (): number =>
    names.filter((name) => readFileSync(join(stack.directory, "logs", `${name}.log`), "utf8").includes("certificates renewed")).length;
  await untilTrue(async () => renewed() === names.length, 30_000);
  const paidBefore = paid;
  await untilTrue(async () => paid > paidBefore + 20, 30_000);
  isOver = true;
  await Promise.all(load);
  expect(others).toEqual([]);
});

test("a revoked certificate is refused by every listener within seconds, and payments go on", async () => {
  await issueCertificate({ directory, name: "switch", file: "stolen", lifeMs: 600_000 });
  const open = { switch: "client", connectors: "stolen", vault: "stolen", ledger: "client" } as const;
  await issueCertificate({ directory, name: "client", file: "lost", lifeMs: 600_000 });
  const fileOf = (listener: Listener): string => (open[listener] === "client" ? "lost" : "stolen");
  for (const listener of Object.keys(open) as Listener[])
    expect(await ask(listener, loadTls(directory, fileOf(listener)))).toEqual(["answered", "answered"]);
  await writeRevocations({ directory, files: ["stolen", "lost"] });
  for (const listener of Object.keys(open) as Listener[])
    await untilTrue(async () => (await ask(listener, loadTls(directory, fileOf(listener)))).every((code) => code === "refused"), 30_000);
  expect((await call(stack, "POST", "/v1/payments/authorize", authorizeBody())).status).toBe(201);
});
