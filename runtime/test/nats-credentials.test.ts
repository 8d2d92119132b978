/** A broker that wants a name and a password gets those of the URL, and nobody comes in without. */
import { expect, test } from "vitest";
import { openJetStreamSession } from "../src/bus/jetstream-session.ts";
import { createLogger } from "../src/telemetry/index.ts";
import { findProgram, freePort, temporaryFolder } from "../src/testing/index.ts";
import { startLocalServer } from "../src/testing/local-server.ts";

const program = findProgram("nats-server");
const logger = createLogger({ service: "test", level: "silent" });

test.skipIf(program === undefined)("the broker's name and password come from the URL", async () => {
  const port = await freePort();
  const args = ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", temporaryFolder(), "--user", "florin", "--pass", "p@ss/word"];
  const server = await startLocalServer({ program: program ?? "", args, port });
  const open = (credentials: string) =>
    openJetStreamSession({ url: `nats://${credentials}127.0.0.1:${port}`, name: "test", stream: "TEST", bytesMax: 1_048_576, logger });
  try {
    await expect(open("")).rejects.toThrow(/authorization/i);
    const session = await open(`florin:${encodeURIComponent("p@ss/word")}@`);
    expect(session.isConnected()).toBe(true);
    await session.close();
  } finally {
    await server.stop();
  }
});
