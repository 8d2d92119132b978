/** Connections that fail where grpc-js waits for ever: the next attempt gets through as soon as the network lets it. */
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { EventLogService } from "@florin/gen/events/v1/events";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { AppError } from "@florin/kernel";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectFramed, connectUnary } from "../src/rpc/index.ts";
import { patienceMsMin } from "../src/rpc/lasting-channel.ts";
import { freePort, untilTrue } from "../src/testing/index.ts";
import { makeStage, type Stage } from "./rpc-fixture.ts";

/** What happens to a connection; `clear` lets it through. */
type Weather = "clear" | "reset_after_handshake" | "silent_after_handshake" | "silent";

let stage: Stage;
let port: number;
let network: Server;
let weather: Weather;
let attempts: number;
const sockets = new Set<Socket>();

beforeEach(async () => {
  stage = await makeStage();
  const { server } = await stage.start();
  attempts = 0;
  port = await freePort();
  network = createServer((near) => carry(near, server.port));
  await listen();
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => network.close(resolve));
  await stage.close();
});

function listen(): Promise<void> {
  return new Promise((resolve, reject) => network.once("error", reject).listen(port, "127.0.0.1", resolve));
}

/** The server's first bytes complete the handshake for the client; it has not seen an HTTP/2 frame by then. */
function carry(near: Socket, targetPort: number): void {
  attempts += 1;
  const own = weather;
  const far = dial(targetPort, "127.0.0.1");
  for (const socket of [near, far]) {
    sockets.add(socket);
    socket.on("error", () => undefined);
  }
  near.once("close", () => far.destroy());
  far.once("close", () => near.destroy());
  if (own !== "silent") near.on("data", (bytes) => far.write(bytes));
  let isHandshakeDone = false;
  far.on("data", (bytes) => {
    if (own === "silent" || (own === "silent_after_handshake" && isHandshakeDone)) return;
    isHandshakeDone = true;
    near.write(bytes);
    if (own === "reset_after_handshake") near.resetAndDestroy();
  });
}

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "answered",
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );

/** The first attempt has met the weather, and a second one would have come by now if grpc-js had noticed. */
async function clearsUp(): Promise<void> {
  await untilTrue(() => attempts >= 1, 5_000);
  await new Promise((resolve) => setTimeout(resolve, 300));
  weather = "clear";
}

describe.each<Weather>(["reset_after_handshake", "silent_after_handshake", "silent"])("a connection that is met with %s", (first) => {
  beforeEach(() => {
    weather = first;
  });

  test("a frame link connects when it is over", async () => {
    const client = connectFramed(VaultService, stage.options(`127.0.0.1:${port}`));
    await clearsUp();
    expect(await client.untilConnected(4 * patienceMsMin)).toBe(true);
    expect((await client.describeToken({ token: "visa" }, { timeoutMs: 5_000 })).brand).toBe("visa");
    expect(attempts).toBe(2);
    await client.close();
  });

  test("unary calls and streams get through when it is over", async () => {
    const options = stage.options(`127.0.0.1:${port}`);
    const [vault, log] = [connectUnary(VaultService, options), connectUnary(EventLogService, options)];
    const lost = codeOf(vault.describeToken({ token: "visa" }, { timeoutMs: 2 * patienceMsMin }));
    const abort = new AbortController();
    const read = async () => {
      for await (const { batch } of log.subscribe({ consumer: "reader", afterPosition: 4n }, { signal: abort.signal }))
        return batch?.events[0]?.position;
      return undefined;
    };
    const lostRead = codeOf(read());
    await clearsUp();
    // Who waited is told, instead of waiting for ever.
    expect(await Promise.all([lost, lostRead])).toEqual(["peer_lost", "peer_lost"]);
    expect((await vault.describeToken({ token: "visa" }, { timeoutMs: 5_000 })).brand).toBe("visa");
    expect(await read()).toBe(5n);
    abort.abort();
    await Promise.all([vault.close(), log.close()]);
  });
});

test("a peer that is only away is connected to when it comes, and a channel that waits for it is not given up early", async () => {
  weather = "clear";
  await new Promise((resolve) => network.close(resolve));
  const client = connectFramed(VaultService, stage.options(`127.0.0.1:${port}`));
  expect(await client.untilConnected(200)).toBe(false);
  await listen();
  expect(await client.untilConnected(patienceMsMin)).toBe(true);
  await client.close();
});
