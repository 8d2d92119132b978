/** Secrets in answers, over real mTLS: they arrive, and the bytes that the handler gave are wiped whatever becomes of the answer. */
import { VaultService } from "@florin/gen/vault/v1/vault";
import { makeSecretBytes } from "@florin/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectUnary, implement, type RpcServer, startRpcServer } from "../src/rpc/index.ts";
import { untilTrue } from "../src/testing/index.ts";
import { loadTls } from "../src/tls/index.ts";
import { connected, logger, makeStage, type Stage } from "./rpc-fixture.ts";

const given: Uint8Array[] = [];
let hold: Promise<void> | undefined;
let stage: Stage;
let server: RpcServer;
let address: string;

beforeAll(async () => {
  stage = await makeStage();
  const service = implement(VaultService, {
    describeToken: async () => ({ found: false }),
    deleteToken: async () => ({ found: false }),
    async detokenize({ token }) {
      const number = makeSecretBytes(16);
      Buffer.from(number.buffer).write(token.padStart(16, "7"), "latin1");
      given.push(number);
      await hold;
      return { found: true, number, expMonth: 12, postalCode: token };
    },
  });
  const policy = { connectors: ["florin.vault.v1.VaultService/Detokenize"] };
  server = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    tls: loadTls(stage.directory, "vault"),
    services: [service],
    policy,
    allowInsecure: false,
    logger,
  });
  address = `127.0.0.1:${server.port}`;
});

afterAll(async () => {
  await server?.drain(1_000);
  await stage?.close();
});

const within = { timeoutMs: 10_000 };
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const areWiped = () => given.length > 0 && given.every((bytes) => bytes.every((byte) => byte === 0));

test("a thousand at once arrive each as it was given, and nothing of them stays with the handler", async () => {
  const client = await connected(stage.options(address, { name: "connectors" }));
  const tokens = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
  const answers = await Promise.all(tokens.map((token) => client.detokenize({ token }, within)));
  expect(answers.map(({ number, postalCode }) => [postalCode, textOf(number)])).toEqual(
    tokens.map((token) => [token, token.padStart(16, "7")]),
  );
  expect(given.length).toBe(1_000);
  expect(areWiped()).toBe(true);
  await client.close();
});

test("a unary call is wiped likewise", async () => {
  given.length = 0;
  const client = connectUnary(VaultService, stage.options(address, { name: "connectors" }));
  expect(textOf((await client.detokenize({ token: "x" }, within)).number)).toBe("777777777777777x");
  expect(areWiped()).toBe(true);
  await client.close();
});

test("an answer that nobody waits for any more is wiped without having been sent", async () => {
  given.length = 0;
  const client = await connected(stage.options(address, { name: "connectors" }));
  const waiting = Promise.withResolvers<void>();
  hold = waiting.promise;
  const stop = new AbortController();
  const asked = Promise.allSettled([1, 2, 3].map((index) => client.detokenize({ token: `c${index}` }, { ...within, signal: stop.signal })));
  await untilTrue(() => given.length === 3, 5_000);
  stop.abort();
  expect((await asked).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  hold = undefined;
  // The server hears of it before the next command on the same stream is answered.
  await client.detokenize({ token: "later" }, within);
  waiting.resolve();
  await untilTrue(areWiped, 5_000);
  await client.close();
});
