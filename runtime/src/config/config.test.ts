import { Secret } from "@florin/kernel";
import { describe, expect, expectTypeOf, test } from "vitest";
import { choice, defineConfig, flag, integer, loadConfig, ratio, secretHex, secretText, text, url } from "./index.ts";

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
