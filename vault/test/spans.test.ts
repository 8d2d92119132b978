/** What the process tells a collector of traces, and that no card is in it. */
import { createServer, type Server } from "node:http";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cardBody, clientOf, newId, openStage, postToken, type Stage, startVault, tokenOf, type VaultProcess } from "./stage.ts";

const number = "5200828282828210";
const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const unsampledId = "1bf7651916cd43dd8448eb211c80319d";
const paymentId = newId("payment");

let stage: Stage;
let collector: Server;
let vault: VaultProcess;
let sent: Buffer;

beforeAll(async () => {
  stage = await openStage();
  const bodies: Buffer[] = [];
  collector = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      bodies.push(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
      response.end();
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const address = collector.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  vault = await startVault(stage, { FLORIN_OTLP_URL: `http://127.0.0.1:${port}/v1/traces`, FLORIN_TRACE_RATIO: "1" });
  await useVault();
  // A drain sends what is left.
  await vault.stop();
  sent = Buffer.concat(bodies);
});

afterAll(async () => {
  collector?.closeAllConnections();
  collector?.close();
  await vault?.stop();
  await stage?.close();
});

async function useVault(): Promise<void> {
  const merchantId = newId("merchant");
  const key = await stage.key(merchantId);
  const token = await tokenOf(vault, key, number);
  await postToken(vault, key, cardBody(number, { exp_year: 2001 }));
  await postToken(vault, key, cardBody(number), { traceparent: `00-${unsampledId}-${parentId}-01` });
  const connectors = await clientOf(stage, vault, "connectors");
  const switchClient = await clientOf(stage, vault, "switch");
  const call = { timeoutMs: 5_000, traceparent: `00-${traceId}-${parentId}-01` };
  await switchClient.describeToken({ merchantId, token, live: false }, call);
  await connectors.detokenize({ merchantId, token, purpose: "authorize", paymentId }, call);
  await connectors.detokenize({ merchantId, token, purpose: number, paymentId }, call).catch(() => {});
  const unsampled = { timeoutMs: 5_000, traceparent: `00-${unsampledId}-${parentId}-00` };
  await connectors.detokenize({ merchantId, token, purpose: "unsampled", paymentId }, unsampled);
  await connectors.close();
  await switchClient.close();
}

test.each(["vault.tokenize", "vault.describe", "vault.detokenize", "vault.hsm.wrap_key", "vault.hsm.unwrap_key"])(
  "%s is a span",
  (name) => {
    expect(sent.includes(name)).toBe(true);
  },
);

test("an opening is a part of the payment's trace, and says for which payment and why", () => {
  expect(sent.includes(Buffer.from(traceId, "hex"))).toBe(true);
  expect(sent.includes(Buffer.from(parentId, "hex"))).toBe(true);
  expect(sent.includes(paymentId)).toBe(true);
  expect(sent.includes("florin.purpose")).toBe(true);
});

test("a refusal is told by its code", () => {
  for (const word of ["refused", "card_expiry_invalid", "parameter_invalid"]) expect([word, sent.includes(word)]).toEqual([word, true]);
});

test("a caller that is not sampled is not recorded, and a page cannot ask to be", () => {
  expect(sent.includes(Buffer.from(unsampledId, "hex"))).toBe(false);
  expect(sent.includes("unsampled")).toBe(false);
});

test("no span holds a card number, its first digits or a token, and no more is told than this", () => {
  expect(sent.length).toBeGreaterThan(500);
  for (const secret of [number, number.slice(0, 8), "tok_"]) expect([secret, sent.includes(secret)]).toEqual([secret, false]);
  const told = new Set(sent.toString("latin1").match(/florin\.[a-z_]+/g));
  const words = ["brand", "error_code", "found", "kek_id", "mode", "outcome", "payment_id", "purpose", "request_id"];
  expect([...told].toSorted()).toEqual(words.map((word) => `florin.${word}`));
});
