import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { makeFirstPayment } from "./first-payment.ts";

const unavailable = { type: "unavailable", code: "processor_unavailable" };

/** The keys that a stack is asked with, which gives these answers one after the other. */
async function keysAskedWith(answers: readonly (readonly [number, object])[]): Promise<readonly string[]> {
  const keys: string[] = [];
  const server = createServer((request, response) => {
    const [status, body] = answers[keys.length] ?? [500, {}];
    keys.push(String(request.headers["idempotency-key"]));
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await makeFirstPayment({ edgeUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, secretKey: "sk" });
    return keys;
  } finally {
    server.close();
  }
}

test("a stack that is not ready is asked again with the same key", async () => {
  const keys = await keysAskedWith([
    [503, { error: unavailable }],
    [202, { id: "pay_1", status: "processing" }],
    [201, { id: "pay_1", status: "authorized" }],
  ]);
  expect([keys.length, new Set(keys).size]).toEqual([3, 1]);
});

test("a payment that ended because its processor was not there yet is made anew", async () => {
  const ended = { error: { ...unavailable, payment: { id: "pay_1", status: "declined" } } };
  const keys = await keysAskedWith([
    [503, ended],
    [201, { id: "pay_2", status: "authorized" }],
  ]);
  expect([keys.length, new Set(keys).size]).toEqual([2, 2]);
});
