import { freePort } from "./free-port.ts";
import { findProgram, startLocalServer } from "./local-server.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export type TestRedis = {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
};

/** A Redis of its own without persistence, dying with this process; undefined where redis-server is not installed. `port`: to start one again where it was. */
export async function testRedis(options: { port?: number } = {}): Promise<TestRedis | undefined> {
  const program = findProgram("redis-server");
  if (program === undefined) return undefined;
  const port = options.port ?? (await freePort());
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", temporaryFolder()];
  const server = await startLocalServer({ program, args, port });
  return { url: `redis://127.0.0.1:${port}`, port, pid: server.pid, stop: server.stop };
}
