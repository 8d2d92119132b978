/**
 * One PostgreSQL cluster per test process, shared by whoever asks, stopped when the last one has stopped it.
 *
 * FLORIN_TEST_DATABASE_URL (a superuser's URL) takes the place of the embedded one; then nothing is started or stopped.
 */
import { join } from "node:path";
import { startEmbeddedPostgres } from "../postgres/index.ts";
import { freePort } from "./free-port.ts";
import { killWithMe } from "./guard.ts";
import { isAlive, temporaryFolder } from "./temporary-folder.ts";
import { untilTrue } from "./until-true.ts";

const crashTimeoutMs = 10_000;

export type TestPostgres = {
  readonly superuserUrl: string /** As it started. Undefined when the server is not ours. */;
  readonly pid: number | undefined;
  /**
   * Ends the server without a goodbye and starts it again where it was: what was committed is recovered from the write-ahead log.
   * Undefined when the server is not ours.
   */
  readonly crash: (() => Promise<void>) | undefined;
  stop(): Promise<void>;
};

let shared: Promise<TestPostgres> | undefined;
let users = 0;

/** Make databases in it with `createServiceDatabase`. Throw-away: settings are the stack's, only the first flush of initdb is skipped. */
export async function testPostgres(): Promise<TestPostgres> {
  users += 1;
  shared ??= start();
  const server = await shared;
  let isStopped = false;
  return {
    superuserUrl: server.superuserUrl,
    pid: server.pid,
    crash: server.crash,
    stop: async () => {
      if (isStopped) return;
      isStopped = true;
      users -= 1;
      if (users > 0) return;
      shared = undefined;
      await server.stop();
    },
  };
}

async function start(): Promise<TestPostgres> {
  const given = process.env["FLORIN_TEST_DATABASE_URL"];
  if (given !== undefined && given !== "") return { superuserUrl: given, pid: undefined, crash: undefined, stop: async () => {} };
  const options = {
    directory: join(temporaryFolder(), "postgres"),
    port: await freePort(),
    initWithoutSync: true,
  };
  let server = await startEmbeddedPostgres(options);
  let guard = killWithMe(server.pid, "QUIT");
  return {
    superuserUrl: server.superuserUrl,
    pid: server.pid,
    async crash() {
      guard.release();
      // The server's own "immediate" shutdown: its sessions end where they are, and nothing is flushed.
      process.kill(server.pid, "SIGQUIT");
      await untilTrue(() => !isAlive(server.pid), crashTimeoutMs);
      server = await startEmbeddedPostgres(options);
      guard = killWithMe(server.pid, "QUIT");
    },
    stop: async () => {
      guard.release();
      await server.stop();
    },
  };
}
