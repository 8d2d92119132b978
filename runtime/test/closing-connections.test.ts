/** What is in flight when a connection begins to close is answered, also when pings fall due until then. */
import { VaultService } from "@florin/gen/vault/v1/vault";
import { describe, expect, test } from "vitest";
import { connectUnary } from "../src/rpc/index.ts";
import { untilTrue } from "../src/testing/index.ts";
import { loadTls, type MutualTls } from "../src/tls/index.ts";
import { connected, makeStage } from "./rpc-fixture.ts";

/** Longer than two pings (every 10 s) and the time that one may take to be answered. */
const closingMs = 21_500;
const within = { timeoutMs: 60_000 };
const outlast = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, closingMs));

describe.concurrent("a connection that closes for longer than from one ping to the next but one", () => {
  test("because its client has new certificates: commands and calls of before are answered", async () => {
    const own = await makeStage();
    const { address, script } = await own.start();
    const listeners = new Set<() => void>();
    const onChange = (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    };
    const tls: MutualTls = { ...(loadTls(own.directory, "switch") as MutualTls), onChange };
    const framed = await connected({ ...own.options(address), tls });
    const unary = connectUnary(VaultService, { ...own.options(address), tls });
    const answers = Promise.all([framed, unary].map((client) => client.describeToken({ token: "hold" }, within)));
    await untilTrue(() => script.started.length === 2, 5_000);
    for (const renew of listeners) renew();
    await outlast();
    script.release();
    expect((await answers).map(({ found }) => found)).toEqual([true, true]);
    await Promise.all([framed.close(), unary.close()]);
    await own.close();
  });

  test("because its server goes away: commands and calls of before are answered", async () => {
    const own = await makeStage();
    const { address, server, script } = await own.start();
    const framed = await connected(own.options(address));
    const unary = connectUnary(VaultService, own.options(address));
    const answers = Promise.all([framed, unary].map((client) => client.describeToken({ token: "hold" }, within)));
    await untilTrue(() => script.started.length === 2, 5_000);
    const drained = server.drain(30_000);
    await outlast();
    script.release();
    expect((await answers).map(({ found }) => found)).toEqual([true, true]);
    await drained;
    await Promise.all([framed.close(), unary.close()]);
    await own.close();
  });
});
