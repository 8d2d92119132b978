import { createServer } from "node:net";
import { freePortBlock } from "@florin/runtime/testing";
import { expect, test } from "vitest";
import { planPorts, portDistances, portsRefusedByFetch } from "./ports.ts";

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

test.each([...portsRefusedByFetch])("fetch opens no connection to port %i", async (port) => {
  const refused = await fetch(`http://127.0.0.1:${port}`).catch((thrown: unknown) => thrown);
  expect(refused).toMatchObject({ cause: { message: "bad port" } });
});

test("no part listens where browsers and fetch do not go: its port is replaced, as the edge's it is refused", async () => {
  // 22 below 10080, where the admin port of the connectors would be.
  const { edge, connectorsAdmin, ...others } = await planPorts(10_058);
  expect(edge).toBe(10_058);
  for (const port of [connectorsAdmin, ...Object.values(others)]) expect(portsRefusedByFetch).not.toContain(port);
  await expect(planPorts(10_080)).rejects.toThrow(/browsers refuse/);
});
