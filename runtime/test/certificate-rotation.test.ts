/** Certificates change under load without a lost call; a revoked or expired one is put out, also when its connection stood before. */
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { connect as dialTls } from "node:tls";
import { EventLogService } from "@florin/gen/events/v1/events";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { AppError } from "@florin/kernel";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectFramed, connectUnary } from "../src/rpc/index.ts";
import { issueCertificate, untilTrue, writeRevocations } from "../src/testing/index.ts";
import { loadTls, makeCertificates, watchTls } from "../src/tls/index.ts";
import { logger, makeStage, type Stage } from "./rpc-fixture.ts";

const periodMs = 20;
let stage: Stage;
let address: string;
const endings: (() => unknown)[] = [];

beforeEach(async () => {
  stage = await makeStage();
  const tls = watched("vault");
  ({ address } = await stage.start({ tls }));
});

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await stage.close();
});

function watched(name: string) {
  const { tls, stop } = watchTls({ directoryOrOff: stage.directory, name, logger, periodMs });
  endings.push(stop);
  return tls;
}

function clients(tls = watched("switch"), log = logger) {
  const o = { address, tls, logger: log, peerName: "vault" };
  const both = [connectFramed(VaultService, o), connectUnary(VaultService, o)] as const;
  endings.push(...both.map((one) => () => one.close()));
  return both;
}

/** A setting whose listeners the test calls itself. */
function movable() {
  const own = loadTls(stage.directory, "switch");
  if (own.kind !== "mutual") throw new Error("certificates");
  const listeners = new Set<() => void>();
  const onChange = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return { tls: { ...own, onChange }, listeners };
}

/** The files were looked at many times over, and whoever moves has moved. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, periodMs * 15));

const ask = (client: ReturnType<typeof clients>[number]): Promise<string> =>
  client.describeToken({ token: "visa" }, { timeoutMs: 5_000 }).then(
    () => "answered",
    (thrown: unknown) => (thrown instanceof AppError ? thrown.code : String(thrown)),
  );

/** The serial number that a new connection is shown. */
function shownSerial(): Promise<string> {
  const own = loadTls(stage.directory, "switch");
  if (own.kind !== "mutual") throw new Error("certificates");
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  return new Promise((resolve, reject) => {
    const pair = { ca: own.ca, cert: own.certificate, key: own.key };
    const socket = dialTls({ host: "127.0.0.1", port, servername: "localhost", ALPNProtocols: ["h2"], ...pair }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

test("certificates of both sides are replaced five times under load, and no call is lost", async () => {
  const [framed, unary] = clients();
  expect(await framed.untilConnected(5_000)).toBe(true);
  const outcomes = new Map<string, number>();
  let isOver = false;
  const load = [framed, framed, framed, unary].map(async (client) => {
    while (!isOver) {
      const outcome = await ask(client);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  });
  const serials = new Set([await shownSerial()]);
  for (let round = 0; round < 5; round++) {
    for (const name of ["vault", "switch"]) rmSync(join(stage.directory, `${name}.pem`));
    await makeCertificates({ directory: stage.directory, names: ["vault", "switch"] });
    const known = serials.size;
    await untilTrue(async () => serials.add(await shownSerial()).size > known, 5_000);
    const answered = outcomes.get("answered") ?? 0;
    await untilTrue(() => (outcomes.get("answered") ?? 0) > answered + 20, 5_000);
  }
  isOver = true;
  await Promise.all(load);
  expect([...outcomes.keys()]).toEqual(["answered"]);
});

test("a client that moves a hundred times, with calls of both kinds at once, loses none", async () => {
  const { tls, listeners } = movable();
  const [framed, unary] = clients(tls);
  expect(await framed.untilConnected(5_000)).toBe(true);
  const outcomes = new Map<string, number>();
  let answers = 0;
  let isOver = false;
  const load = [...Array.from({ length: 24 }, () => framed), unary, unary, unary, unary].map(async (client) => {
    while (!isOver) {
      const outcome = await ask(client);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      answers += 1;
    }
  });
  for (let move = 0; move < 100; move++) {
    for (const listener of listeners) listener();
    const before = answers;
    await untilTrue(() => answers > before + 30, 5_000);
  }
  isOver = true;
  await Promise.all(load);
  expect([...outcomes.keys()]).toEqual(["answered"]);
});

test("a stream of answers ends when its client moves, so that it is asked for anew over the new connection", async () => {
  const { tls, listeners } = movable();
  const client = connectUnary(EventLogService, { address, tls, logger, peerName: "vault" });
  endings.push(() => client.close());
  for (const consumer of ["before", "after"]) {
    const positions: bigint[] = [];
    for await (const { batch } of client.subscribe({ consumer }, { signal: new AbortController().signal })) {
      positions.push(batch?.events[0]?.position ?? 0n);
      if (positions.length === 10) for (const listener of listeners) listener();
    }
    expect(positions.slice(0, 3)).toEqual([1n, 2n, 3n]);
  }
});

test("a client moves to its new certificate while it is connected, so that the end of its old one does no harm", async () => {
  const { directory } = stage;
  await issueCertificate({ directory, name: "switch", file: "switch", lifeMs: 600_000 });
  const lines: string[] = [];
  const [framed, unary] = clients(undefined, pino({}, { write: (line: string) => void lines.push(line) }));
  expect(await framed.untilConnected(5_000)).toBe(true);
  expect(await ask(unary)).toBe("answered");
  for (const end of [".pem", "-key.pem"]) copyFileSync(join(directory, `switch${end}`), join(directory, `before${end}`));
  await issueCertificate({ directory, name: "switch", file: "switch", lifeMs: 600_000 });
  await untilTrue(() => lines.filter((line) => line.includes("frame stream open")).length === 2, 5_000);
  await writeRevocations({ directory, files: ["before"] });
  const isRefused = async () => !(await clients(loadTls(directory, "before"))[0].untilConnected(300));
  await untilTrue(isRefused, 10_000);
  expect([await ask(framed), await ask(unary)]).toEqual(["answered", "answered"]);
  expect(lines.join("")).not.toContain("frame stream lost");
});

test("a revoked caller is put out of the connection that it has, and gets no other", async () => {
  const doomed = clients(loadTls(stage.directory, "switch"));
  const others = clients(loadTls(stage.directory, "connectors"));
  expect(await doomed[0].untilConnected(5_000)).toBe(true);
  expect(await others[0].untilConnected(5_000)).toBe(true);
  expect(await Promise.all([...doomed, ...others].map(ask))).toEqual(["answered", "answered", "answered", "answered"]);
  await writeRevocations({ directory: stage.directory, files: ["switch"] });
  await untilTrue(() => !doomed[0].isConnected(), 5_000);
  expect(await Promise.all(doomed.map(ask))).toEqual(["unavailable", "caller_not_allowed"]);
  expect(await Promise.all(others.map(ask))).toEqual(["answered", "answered"]);
  const [again] = clients(loadTls(stage.directory, "switch"));
  expect(await again.untilConnected(1_000)).toBe(false);
});

test("a caller whose certificate expires while it is connected gets no further call", async () => {
  await issueCertificate({ directory: stage.directory, name: "switch", file: "switch", lifeMs: 3_000 });
  const [, unary] = clients(loadTls(stage.directory, "switch"));
  expect(await ask(unary)).toBe("answered");
  await untilTrue(async () => (await ask(unary)) === "caller_not_allowed", 10_000);
});

test("certificates that do not fit, name somebody else or are expired are left alone, and the ones before go on", async () => {
  const [framed, unary] = clients();
  expect(await framed.untilConnected(5_000)).toBe(true);
  const before = await shownSerial();
  const { directory } = stage;
  const spoil: readonly (() => Promise<void> | void)[] = [
    () => rmSync(join(directory, "vault-key.pem")),
    () => issueCertificate({ directory, name: "edge", file: "vault", lifeMs: 60_000 }),
    () => issueCertificate({ directory, name: "vault", file: "vault", lifeMs: -1_000 }),
  ];
  for (const one of spoil) {
    await one();
    await settled();
    expect(await shownSerial()).toBe(before);
    expect([await ask(framed), await ask(unary)]).toEqual(["answered", "answered"]);
  }
  rmSync(join(directory, "vault.pem"));
  await makeCertificates({ directory, names: ["vault"] });
  await untilTrue(async () => (await shownSerial()) !== before, 5_000);
});
