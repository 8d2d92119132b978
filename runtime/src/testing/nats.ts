import { freePort } from "./free-port.ts";
import { findProgram, startLocalServer } from "./local-server.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export type TestNats = {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly storeDirectory: string;
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
};

/** A NATS server with JetStream, dying with this process; undefined where nats-server is not installed. `port` and `storeDirectory`: to restart one. */
export async function testNats(options: { port?: number; storeDirectory?: string } = {}): Promise<TestNats | undefined> {
  const program = findProgram("nats-server");
  if (program === undefined) return undefined;
  const port = options.port ?? (await freePort());
  const storeDirectory = options.storeDirectory ?? temporaryFolder();
  const server = await startLocalServer({ program, args: ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", storeDirectory], port });
  return { url: `nats://127.0.0.1:${port}`, port, pid: server.pid, storeDirectory, stop: server.stop };
}
