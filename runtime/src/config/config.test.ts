import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "@florin/kernel";
import { afterAll, describe, expect, expectTypeOf, test } from "vitest";
import {
  choice,
  defineConfig,
  flag,
  forgetSecrets,
  integer,
  loadConfig,
  ratio,
  readSecretVariable,
  secretHex,
  secretText,
  text,
  url,
} from "./index.ts";
import { weaknessOfKey, weaknessOfPassword } from "./weak-secret.ts";

const definition = defineConfig("vault", {
  environment: choice({ env: "FLORIN_ENVIRONMENT", help: "Where this runs.", values: ["sandbox", "production"], default: "sandbox" }),
  port: integer({ env: "FLORIN_HTTP_PORT", help: "Port of the token API.", unit: "port", min: 1, max: 65_535, default: 8081 }),
  traceRatio: ratio({ env: "FLORIN_TRACE_RATIO", help: "Part of traces recorded.", default: 0 }),
  databaseUrl: url({ env: "FLORIN_DATABASE_URL", help: "The vault's database.", protocols: ["postgres", "postgresql"] }),
  natsUrl: url({ env: "FLORIN_NATS_URL", help: "Broker; empty means none.", default: "" }),
  host: text({ env: "FLORIN_LISTEN_HOST", help: "Address to listen on.", default: "127.0.0.1" }),
  strict: flag({ env: "FLORIN_STRICT", help: "Refuses doubtful things.", default: true }),
  kek: secretHex({ env: "FLORIN_KEK", help: "Key-encryption key.", bytes: 32 }),
  apiKey: secretText({ env: "FLORIN_SIMPAY_API_KEY", help: "Key at the processor.", optional: true }),
});
const kek = "ab".repeat(32);
const good = { FLORIN_DATABASE_URL: "postgres://u:p4ssword@h/d", FLORIN_KEK: kek };

describe("loadConfig", () => {
  test("gives typed values and defaults", () => {
    const config = loadConfig(definition, { ...good, FLORIN_HTTP_PORT: "9000", FLORIN_STRICT: "off" });
    expect(config).toMatchObject({
      environment: "sandbox",
      port: 9000,
      traceRatio: 0,
      natsUrl: "",
      host: "127.0.0.1",
      strict: false,
      apiKey: undefined,
    });
    expectTypeOf(config.environment).toEqualTypeOf<"sandbox" | "production">();
    expectTypeOf(config.port).toEqualTypeOf<number>();
    expectTypeOf(config.apiKey).toEqualTypeOf<Secret | undefined>();
    expect(Object.isFrozen(config)).toBe(true);
  });

  test("an empty variable counts as not set", () => {
    expect(loadConfig(definition, { ...good, FLORIN_HTTP_PORT: "" }).port).toBe(8081);
  });

  test("all problems come in one message", () => {
    const env = {
      FLORIN_ENVIRONMENT: "prod",
      FLORIN_HTTP_PORT: "80.5",
      FLORIN_TRACE_RATIO: "2",
      FLORIN_DATABASE_URL: "mysql://h",
      FLORIN_STRICT: "yes",
    };
    const message = messageOf(() => loadConfig(definition, env));
    expect(message).toContain("vault cannot start, its configuration has 6 problem(s)");
    for (const name of [...Object.keys(env), "FLORIN_KEK"]) expect(message).toContain(name);
    expect(message).toContain("sandbox, production");
    expect(message).toContain("FLORIN_KEK is required (Key-encryption key.)");
  });

  test("what another variable makes required is missed with the rest", () => {
    const pair = defineConfig("connectors", {
      url: url({ env: "FLORIN_ACME_URL", help: "Where acme is.", default: "" }),
      key: secretText({ env: "FLORIN_ACME_KEY", help: "Its key.", inHeader: true, optional: true, requiredWith: "FLORIN_ACME_URL" }),
      mac: secretHex({ env: "FLORIN_ACME_MAC", help: "Its MAC key.", bytes: 16, optional: true, requiredWith: "FLORIN_ACME_URL" }),
    });
    expect(loadConfig(pair, {})).toEqual({ url: "", key: undefined, mac: undefined });
    const withUrl = { FLORIN_ACME_URL: "http://acme.example" };
    const message = messageOf(() => loadConfig(pair, withUrl));
    expect(message).toContain("2 problem(s)");
    for (const name of ["KEY", "MAC"]) expect(message).toContain(`FLORIN_ACME_${name} is required with FLORIN_ACME_URL (Its`);
    expect(messageOf(() => loadConfig(pair, { ...withUrl, FLORIN_ACME_KEY: "two words", FLORIN_ACME_MAC: "0f".repeat(16) }))).toMatch(
      /1 problem\(s\):\n {2}FLORIN_ACME_KEY must be printable ASCII without blanks/,
    );
    expect(loadConfig(pair, { ...withUrl, FLORIN_ACME_KEY: "k", FLORIN_ACME_MAC: "0f".repeat(16) }).key).toBeInstanceOf(Secret);
  });

  test("neither a bad secret nor a URL's password is ever printed", () => {
    const message = messageOf(() => loadConfig(definition, { FLORIN_KEK: "deadbeef", FLORIN_DATABASE_URL: "mysql://user:hunter2@h/d" }));
    expect(message).not.toContain("deadbeef");
    expect(message).not.toContain("hunter2");
  });

  test("secrets come as Secret and print masked", () => {
    const config = loadConfig(definition, { ...good, FLORIN_SIMPAY_API_KEY: "sk_simpay_1" });
    expect(config.kek).toBeInstanceOf(Secret);
    expect(config.kek.expose()).toEqual(Buffer.from(kek, "hex"));
    expect(Buffer.from(config.apiKey?.expose() ?? []).toString()).toBe("sk_simpay_1");
    expect(JSON.stringify(config)).not.toContain(kek);
  });
});

describe("a secret in a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "florin-config-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const fileOf = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  test("is read without its last line break, for secrets and for URLs", () => {
    const env = {
      FLORIN_KEK_FILE: fileOf("kek", `${kek}\n`),
      FLORIN_DATABASE_URL_FILE: fileOf("url", `${good.FLORIN_DATABASE_URL}\r\n`),
      FLORIN_SIMPAY_API_KEY_FILE: fileOf("key", " two words "),
    };
    const config = loadConfig(definition, env);
    expect(config.kek.expose()).toEqual(Buffer.from(kek, "hex"));
    expect(config.databaseUrl).toBe(good.FLORIN_DATABASE_URL);
    expect(Buffer.from(config.apiKey?.expose() ?? []).toString()).toBe(" two words ");
    expect(readSecretVariable(env, "FLORIN_KEK")).toBe(kek);
  });

  test("that is not there, or is given twice, is a problem; what is no secret has no file", () => {
    const missing = { ...good, FLORIN_KEK: "", FLORIN_KEK_FILE: join(folder, "nothing") };
    expect(messageOf(() => loadConfig(definition, missing))).toContain(
      "FLORIN_KEK cannot be read from the file of FLORIN_KEK_FILE (ENOENT)",
    );
    const twice = { ...good, FLORIN_KEK_FILE: fileOf("twice", "cd".repeat(32)) };
    const message = messageOf(() => loadConfig(definition, twice));
    expect(message).toContain("FLORIN_KEK is set, and FLORIN_KEK_FILE too");
    expect(message).not.toMatch(/cdcd|abab/);
    expect(
      messageOf(() => loadConfig(definition, { ...good, FLORIN_KEK: "", FLORIN_KEK_FILE: fileOf("big", "a".repeat(70_000)) })),
    ).toContain("too large");
    expect(loadConfig(definition, { ...good, FLORIN_LISTEN_HOST_FILE: fileOf("host", "0.0.0.0") }).host).toBe("127.0.0.1");
  });

  test("leaves the environment when it was read", () => {
    const env: NodeJS.ProcessEnv = { ...good, FLORIN_SIMPAY_API_KEY: "x", FLORIN_HTTP_PORT: "1" };
    forgetSecrets(definition, env);
    expect(env).toEqual({ FLORIN_HTTP_PORT: "1" });
  });
});

describe("what is made up instead of drawn", () => {
  test.each([
    ["zeros", Buffer.alloc(32)],
    ["one byte", Buffer.alloc(32, 0xab)],
    ["a short block again and again", Buffer.from("0123456789abcdef".repeat(4), "hex")],
    ["counting up", Buffer.from(Array.from({ length: 32 }, (_, index) => index))],
    ["counting down", Buffer.from(Array.from({ length: 32 }, (_, index) => 255 - 3 * index))],
    ["text", Buffer.from("the quick brown fox jumps over it")],
    ["a sandbox's", Buffer.concat([Buffer.from("5a4db0c5", "hex"), randomBytes(28)])],
  ])("is seen in a key of %s", (_what, key) => {
    expect(weaknessOfKey(key)).toMatch(/drawn|sandbox/);
  });

  test.each([
    "",
    "postgres",
    "short-one",
    "password1234",
    "changeme-changeme",
    "aaaaaaaaaaaaaaaa",
    "abcdefghijklmnop",
    "x_sandbox_0a1b2c3d4e5f60718293",
  ])("is seen in the password %j", (password) => {
    expect(weaknessOfPassword(password)).toBeDefined();
  });

  test("is not seen in what was drawn", () => {
    for (let trial = 0; trial < 2_000; trial++) {
      expect(weaknessOfKey(randomBytes(32))).toBeUndefined();
      expect(weaknessOfPassword(randomBytes(18).toString("base64"))).toBeUndefined();
      expect(weaknessOfPassword(randomBytes(16).toString("hex"))).toBeUndefined();
    }
    expect(weaknessOfPassword(`florin-admin-${randomBytes(12).toString("hex")}`)).toBeUndefined();
    expect(weaknessOfPassword("73920518", 8)).toBeUndefined();
    expect(weaknessOfPassword("12345678", 8)).toBeDefined();
  });
});

describe("describe", () => {
  test("has one row per setting, and shows no secret's default", () => {
    const rows = defineConfig("edge", {
      pepper: secretHex({ env: "FLORIN_API_KEY_PEPPER", help: "Pepper.", bytes: 2, default: "beef" }),
    }).describe();
    expect(rows).toEqual([
      {
        process: "edge",
        env: "FLORIN_API_KEY_PEPPER",
        shape: "2 bytes in hex",
        unit: undefined,
        defaultText: "(a built-in sandbox value)",
        isRequired: false,
        isSecret: true,
        holdsSecret: true,
        help: "Pepper.",
      },
    ]);
    expect(definition.describe()).toHaveLength(9);
  });

  test("two settings may not read one variable", () => {
    const same = text({ env: "FLORIN_X", help: "x", default: "" });
    expect(() => defineConfig("edge", { a: same, b: same })).toThrow("two settings read FLORIN_X");
  });
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
  throw new Error("nothing was thrown");
}
