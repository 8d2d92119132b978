/** What `jose` is allowed to open, when the header was not looked at before. */
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { CompactEncrypt, type CryptoKey } from "jose";
import { expect, test } from "vitest";
import { run } from "./envelope.worker.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const text = new TextEncoder().encode("a card");
type Recipient = CryptoKey | typeof publicKey | Uint8Array;

async function open(header: { alg: string; enc: string }, to: Recipient, change = (envelope: string) => envelope) {
  const envelope = await new CompactEncrypt(text).setProtectedHeader(header).encrypt(to);
  const plaintext = new SharedArrayBuffer(64);
  const [answer] = await run([{ envelope: new TextEncoder().encode(change(envelope)), kid: "k", key: privateKey, plaintext }]);
  return { answer, opened: Buffer.from(plaintext).toString("latin1") };
}

test("one algorithm with one encryption is opened into the shared memory", async () => {
  const { answer, opened } = await open({ alg: "ECDH-ES+A256KW", enc: "A256GCM" }, publicKey);
  expect(answer).toEqual({ ok: true, value: 6 });
  expect(opened).toMatch(/^a card\0+$/);
});

test.each([
  ["key agreement without key wrap", { alg: "ECDH-ES", enc: "A256GCM" }, publicKey],
  ["a shorter key wrap", { alg: "ECDH-ES+A128KW", enc: "A256GCM" }, publicKey],
  ["another encryption", { alg: "ECDH-ES+A256KW", enc: "A128CBC-HS256" }, publicKey],
  ["a shared key", { alg: "dir", enc: "A256GCM" }, new Uint8Array(32)],
  [
    "a secret made of the public key",
    { alg: "A256KW", enc: "A256GCM" },
    createPublicKey(privateKey).export({ type: "spki", format: "der" }).subarray(0, 32),
  ],
])("%s is refused", async (_what, header, to) => {
  const { answer, opened } = await open(header, to);
  expect(answer).toMatchObject({ ok: false, fault: { code: "card_envelope_refused" } });
  expect(opened).toMatch(/^\0+$/);
});

test.each([
  ["a truncated tag", (envelope: string) => envelope.slice(0, -6)],
  [
    "other additional data",
    (envelope: string) => envelope.replace(/^[^.]+/, (head) => Buffer.from(`${Buffer.from(head, "base64url")} `).toString("base64url")),
  ],
])("%s is refused", async (_what, change) => {
  expect((await open({ alg: "ECDH-ES+A256KW", enc: "A256GCM" }, publicKey, change)).answer).toMatchObject({ ok: false });
});
