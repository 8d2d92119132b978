/** Cards that a browser encrypted, at `POST /v1/tokens`: what is opened, and that everything else is refused in one way. */
import { createHash } from "node:crypto";
import { CompactEncrypt, type CompactJWEHeaderParameters, compactDecrypt, importJWK, type JWK } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EnvelopeBinding, type EnvelopeKey, encryptEnvelope, makeJti } from "../src/browser/jwe.ts";
import { provisionPublishableKey } from "../src/provision.ts";
import { cardBody, clientOf, newId, openStage, pepper, type Stage, startVault, type VaultProcess } from "./stage.ts";

const number = "5200828282828210";
const origin = "https://shop.example";
let stage: Stage;
let vault: VaultProcess;
let key: string;
let merchantId: string;

beforeAll(async () => {
  stage = await openStage();
  vault = await startVault(stage);
  merchantId = newId("merchant");
  key = await stage.key(merchantId);
});

afterAll(async () => {
  await vault?.stop();
  await stage?.close();
});

type Answer = { readonly status: number; readonly text: string; readonly body: Record<string, unknown> };
type Made = { readonly bytes?: Uint8Array<ArrayBuffer>; readonly binding?: Partial<EnvelopeBinding>; readonly key?: EnvelopeKey };

const fetchKey = async (from = vault): Promise<EnvelopeKey & { now: number }> =>
  (await (await fetch(`${from.url}/fields/key`)).json()) as EnvelopeKey & { now: number };

const plaintext = (body: unknown = cardBody(number)) => new TextEncoder().encode(JSON.stringify(body));

/** An envelope as the card fields make it, or with parts of it changed. */
async function envelopeOf(made: Made = {}): Promise<string> {
  const { now, ...current } = await fetchKey();
  const binding = { key, origin, iat: now, jti: makeJti(), ...made.binding };
  return encryptEnvelope(made.bytes ?? plaintext(), made.key ?? current, binding);
}

async function post(envelope: string, o: { key?: string; vault?: VaultProcess } = {}): Promise<Answer> {
  const response = await fetch(`${(o.vault ?? vault).url}/v1/tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${o.key ?? key}`, "content-type": "application/jose" },
    body: envelope,
  });
  const text = await response.text();
  return { status: response.status, text, body: JSON.parse(text) as Record<string, unknown> };
}

describe("an encrypted card", () => {
  test("becomes a token whose card the connectors open", async () => {
    const answer = await post(await envelopeOf());
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ id: expect.stringMatching(/^tok_/), card: { brand: "mastercard", last4: "8210" } });
    expect(answer.text).not.toContain(number);
    const connectors = await clientOf(stage, vault, "connectors");
    const opening = { merchantId, token: String(answer.body["id"]), purpose: "authorize", paymentId: newId("payment") };
    const opened = await connectors.detokenize(opening, { timeoutMs: 5_000 });
    expect([Buffer.from(opened.number).toString(), Buffer.from(opened.securityCode).toString()]).toEqual([number, "123"]);
    await connectors.close();
  });

  test("is told what is wrong with the card, like any other", async () => {
    const wrong = await post(await envelopeOf({ bytes: plaintext(cardBody("4242424242424241")) }));
    expect([wrong.status, wrong.body]).toMatchObject([400, { error: { code: "card_number_invalid", param: "card.number" } }]);
    expect(wrong.text).not.toContain("4242");
  });

  test("handed in forty times at once makes one token", async () => {
    const envelope = await envelopeOf();
    const statuses = (await Promise.all(Array.from({ length: 40 }, () => post(envelope)))).map(({ status }) => status);
    expect(statuses.sort()).toEqual([201, ...Array.from({ length: 39 }, () => 400)]);
  });

  test("is taken by another vault, and by one that started later, once over all of them", async () => {
    const envelopes = [await envelopeOf(), await envelopeOf()];
    expect((await post(envelopes[0] ?? "")).status).toBe(201);
    const other = await startVault(stage);
    try {
      expect((await post(envelopes[0] ?? "", { vault: other })).status).toBe(400);
      expect((await post(envelopes[1] ?? "", { vault: other })).status).toBe(201);
      expect(await fetchKey(other)).toMatchObject({ kid: (await fetchKey()).kid });
    } finally {
      await other.stop();
    }
  });

  test("comes from the pages that its key names, and from no other", async () => {
    const { ownerUrl } = stage;
    const mine = { ownerUrl, pepper, merchantId: newId("merchant"), mode: "test" as const, origins: [origin, "http://127.0.0.1:8083"] };
    const { publishableKey } = await provisionPublishableKey(mine);
    const from = async (page: string) =>
      (await post(await envelopeOf({ binding: { key: publishableKey, origin: page } }), { key: publishableKey })).status;
    expect(await from(origin)).toBe(201);
    expect(await from("http://127.0.0.1:8083")).toBe(201);
    expect(await from("https://shop.example.evil.example")).toBe(400);
  });
});

describe("refused, all with one answer", () => {
  /** A JWE that `jose` makes, with another algorithm or header. */
  const foreign = async (header: Partial<CompactJWEHeaderParameters>, recipient?: JWK | Uint8Array): Promise<string> => {
    const { now, kid, x, y } = await fetchKey();
    const jwk = { kty: "EC", crv: "P-256", x, y };
    const alg = header.alg ?? "ECDH-ES+A256KW";
    const to = recipient instanceof Uint8Array ? recipient : await importJWK(recipient ?? jwk, alg);
    const binding = { key, origin, iat: now, jti: makeJti() };
    return new CompactEncrypt(plaintext()).setProtectedHeader({ alg, enc: "A256GCM", kid, ...binding, ...header }).encrypt(to);
  };
  /** The header of a good envelope changed, the rest as it was. */
  const withHeader = async (change: (header: Record<string, unknown>) => unknown): Promise<string> => {
    const [head = "", ...rest] = (await envelopeOf()).split(".");
    const header = change(JSON.parse(Buffer.from(head, "base64url").toString()) as Record<string, unknown>);
    const text = typeof header === "string" ? header : JSON.stringify(header);
    return [Buffer.from(text).toString("base64url"), ...rest].join(".");
  };
  const withPart = async (index: number, change: (part: string) => string): Promise<string> => {
    const parts = (await envelopeOf()).split(".");
    return parts.map((part, at) => (at === index ? change(part) : part)).join(".");
  };
  const flip = (part: string) => (part.startsWith("A") ? "B" : "A") + part.slice(1);
  const rsa = async (): Promise<JWK> => {
    const pair = await crypto.subtle.generateKey(
      { name: "RSA-OAEP", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
      true,
      ["encrypt", "decrypt"],
    );
    return (await crypto.subtle.exportKey("jwk", pair.publicKey)) as JWK;
  };
  const strangersKey = async (): Promise<EnvelopeKey> => {
    const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
    const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", pair.publicKey);
    return { kid: createHash("sha256").update(x).digest("base64url"), x, y };
  };

  const cases: readonly [string, () => Promise<string>][] = [
    ["RSA1_5", () => withHeader((header) => ({ ...header, alg: "RSA1_5" }))],
    ["RSA-OAEP-256", async () => foreign({ alg: "RSA-OAEP-256" }, await rsa())],
    ["none", () => withHeader((header) => ({ ...header, alg: "none" }))],
    ["a shared key instead of a key agreement", async () => foreign({ alg: "dir" }, new Uint8Array(32))],
    ["key agreement without key wrap", () => foreign({ alg: "ECDH-ES" })],
    ["a password", async () => foreign({ alg: "PBES2-HS256+A128KW" }, new Uint8Array(16))],
    ["another content encryption", () => foreign({ enc: "A256CBC-HS512" })],
    ["compression", () => withHeader((header) => ({ ...header, zip: "DEF" }))],
    ["a critical extension", () => withHeader((header) => ({ ...header, crit: ["exp"] }))],
    ["a key of its own in the header", () => withHeader((header) => ({ ...header, jwk: header["epk"] }))],
    ["a name twice", () => withHeader((header) => JSON.stringify(header).replace("{", '{"alg":"none",'))],
    ["a header in another order", () => foreign({})],
    ["a changed header", () => withHeader((header) => ({ ...header, origin: "https://other.example" }))],
    ["a truncated tag", () => withPart(4, (tag) => tag.slice(0, 16))],
    ["no tag", () => withPart(4, () => "")],
    ["a changed tag", () => withPart(4, flip)],
    ["a changed ciphertext", () => withPart(3, flip)],
    ["a changed initialization vector", () => withPart(2, flip)],
    ["a changed wrapped key", () => withPart(1, flip)],
    ["a point off the curve", () => withHeader((header) => ({ ...header, epk: { ...(header["epk"] as object), y: "A".repeat(43) } }))],
    ["another merchant's key in it", async () => envelopeOf({ binding: { key: await stage.key(newId("merchant")) } })],
    ["an origin that is none", () => envelopeOf({ binding: { origin: "https://shop.example/checkout" } })],
    ["older than ten minutes", async () => envelopeOf({ binding: { iat: (await fetchKey()).now - 601 } })],
    ["from the future", async () => envelopeOf({ binding: { iat: (await fetchKey()).now + 120 } })],
    ["a time that is text", () => withHeader((header) => ({ ...header, iat: String(header["iat"]) }))],
    ["a name too short to be unique", () => envelopeOf({ binding: { jti: "AAAAAAAA" } })],
    ["a key that is not ours", async () => envelopeOf({ key: await strangersKey() })],
    ["our key's name over another key", async () => envelopeOf({ key: { ...(await strangersKey()), kid: (await fetchKey()).kid } })],
    ["a header of a megabyte", () => withHeader((header) => ({ ...header, origin: `https://${"a".repeat(1_000_000)}` }))],
    ["a header of two kilobytes", () => withHeader((header) => ({ ...header, origin: `https://${"a".repeat(2_000)}` }))],
    ["nothing", async () => ""],
    ["a card in clear", async () => JSON.stringify(cardBody(number))],
  ];
  test.each(cases)("%s", async (_what, make) => {
    const { status, body, text } = await post(await make());
    expect([status, body]).toEqual([
      400,
      {
        error: {
          type: "invalid_request",
          code: "card_envelope_refused",
          message: "the encrypted card was not taken: encrypt it again with a fresh key",
          request_id: expect.stringMatching(/^req_/),
        },
      },
    ]);
    expect(text).not.toContain(number);
    expect(vault.output()).not.toContain(number);
  });

  test("one that was used, and none of them sooner than the others", async () => {
    const used = await envelopeOf();
    expect((await post(used)).status).toBe(201);
    for (const envelope of [used, "", await withPart(4, flip), await envelopeOf({ key: await strangersKey() })]) {
      const startedAtMs = performance.now();
      expect((await post(envelope)).body).toMatchObject({ error: { code: "card_envelope_refused" } });
      expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(40);
    }
  });

  test("one whose key was replaced and destroyed", async () => {
    const old = await envelopeOf();
    const before = await fetchKey();
    await stage.sql`UPDATE envelope_keys SET created_at = created_at - interval '30 hours'`;
    const later = await startVault(stage);
    try {
      const after = await fetchKey(later);
      expect(after.kid).not.toBe(before.kid);
      expect((await post(old, { vault: later })).body).toMatchObject({ error: { code: "card_envelope_refused" } });
      expect(await stage.sql`SELECT kid FROM envelope_keys`).toEqual([{ kid: after.kid }]);
      // The vault that has the new key from the database only finds it when it is asked.
      const { now, ...current } = after;
      const fresh = await encryptEnvelope(plaintext(), current, { key, origin, iat: now, jti: makeJti() });
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      expect((await post(fresh)).status).toBe(201);
    } finally {
      await later.stop();
    }
  });
});

describe("a stored key", () => {
  test("that was swapped for another's does not open, and a new one takes its place", async () => {
    const before = await fetchKey();
    await stage.sql`UPDATE envelope_keys SET wrapped_key = (SELECT wrapped_key FROM data_keys LIMIT 1)`;
    const later = await startVault(stage);
    try {
      expect((await fetchKey(later)).kid).not.toBe(before.kid);
      expect(later.output()).toContain("an envelope key is not what its name says");
    } finally {
      await later.stop();
    }
  });

  test("is not in the database in clear, nor the card in any row", async () => {
    const rows = await stage.sql<{ row: string }[]>`
      SELECT k::text AS row FROM envelope_keys k UNION ALL SELECT u::text FROM used_envelopes u UNION ALL SELECT c::text FROM cards c`;
    expect(rows.length).toBeGreaterThan(2);
    for (const { row } of rows) expect(row).not.toMatch(/5200828282828210|BEGIN|308187/);
  });
});

test("what the browser encrypts is what jose opens, and the other way round", async () => {
  const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
  const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const envelope = await encryptEnvelope(plaintext(), { kid: "k", x, y }, { key, origin, iat: 1, jti: makeJti() });
  const { plaintext: opened, protectedHeader } = await compactDecrypt(envelope, pair.privateKey);
  expect(JSON.parse(new TextDecoder().decode(opened))).toEqual(cardBody(number));
  expect(protectedHeader).toMatchObject({ alg: "ECDH-ES+A256KW", enc: "A256GCM", kid: "k", origin });
});
