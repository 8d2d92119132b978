import { createServer } from "node:net";
import { freePortBlock } from "@florin/runtime/testing";
import { expect, test } from "vitest";
import { planPorts, portDistances } from "./ports.ts";

test("ports stand at fixed distances from the edge's; a taken one is replaced, the edge's own is not", async () => {
  const base = await freePortBlock(Math.max(...Object.values(portDistances)) + 1);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(base + 1, "127.0.0.1", resolve));
  try {
    const ports = await planPorts(base);
    expect(ports.switchGrpc).toBe(base + portDistances.switchGrpc);
    expect(ports.vault).toBeGreaterThan(base + 32);
    expect(new Set(Object.values(ports)).size).toBe(Object.keys(portDistances).length);
    await expect(planPorts(base + 1)).rejects.toThrow(/is taken/);
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});
