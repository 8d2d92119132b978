/** Measures the ruler: CPU of a bare Fastify echo per request, with the same generator and the same request. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { cpuMicrosOf } from "./cpu.ts";
import { drive } from "./drive.ts";
import type { Plan } from "./plan.ts";

export type EchoFigure = { readonly cpuMicros: number; readonly perSecond: number };

export async function measureEcho(plan: Omit<Plan, "host" | "port">): Promise<EchoFigure> {
  const server = fork(fileURLToPath(new URL("echo-server.ts", import.meta.url)));
  try {
    const [{ port }] = (await once(server, "message")) as [{ port: number }];
    const pid = server.pid ?? 0;
    const { before, after, answers, result } = await drive({ ...plan, host: "127.0.0.1", port }, () => cpuMicrosOf(pid));
    return { cpuMicros: (after - before) / answers, perSecond: answers / result.seconds };
  } finally {
    server.disconnect();
    server.kill();
  }
}
