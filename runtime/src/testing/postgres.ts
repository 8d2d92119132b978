/**
 * One PostgreSQL cluster per test process, shared by whoever asks, stopped when the last one has stopped it.
 *
 * FLORIN_TEST_DATABASE_URL (a superuser's URL) takes the place of the embedded one; then nothing is started or stopped.
 */
import { join } from "node:path";
import { startEmbeddedPostgres } from "../postgres/index.ts";
import { freePort } from "./free-port.ts";
import { killWithMe } from "./guard.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export type TestPostgres = {
  readonly superuserUrl: string /** Undefined when the server is not ours. */;
  readonly pid: number | undefined;
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
  if (given !== undefined && given !== "") return { superuserUrl: given, pid: undefined, stop: async () => {} };
  const server = await startEmbeddedPostgres({
    directory: join(temporaryFolder(), "postgres"),
    port: await freePort(),
    initWithoutSync: true,
    settings: { unix_socket_directories: "" },
  });
  const guard = killWithMe(server.pid, "QUIT");
  return {
    superuserUrl: server.superuserUrl,
    pid: server.pid,
    stop: async () => {
      guard.release();
      await server.stop();
    },
  };
}
