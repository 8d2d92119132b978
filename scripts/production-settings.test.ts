/**
 * What every process refuses in production, over all processes and all settings that hold a secret: the table is made from their `config.ts`,
 * so a new secret is in it as soon as it is a setting.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type ConfigDefinition, loadConfig, type Setting, sandboxMark, sandboxWord } from "@florin/runtime/config";
import { makeCertificates } from "@florin/runtime/tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rootFolder } from "./root-folder.ts";

type Definition = ConfigDefinition<Readonly<Record<string, Setting<unknown>>>>;

const workspaces = ["gateway-edge", "switch", "connectors", "vault", "ledger", "simulator"];
const definitions = await Promise.all(workspaces.map(definitionOf));
const drawn = (): string => randomBytes(18).toString("base64url");

const sandboxCertificates = mkdtempSync(join(tmpdir(), "florin-sandbox-tls-"));
beforeAll(() => makeCertificates({ directory: sandboxCertificates, names: ["edge"] }));
afterAll(() => rmSync(sandboxCertificates, { recursive: true }));

/** Passwords that a sandbox draws, that examples show, and that everybody tries. */
const badPasswords = [
  "postgres",
  "password",
  "hunter2",
  "changeme-changeme",
  "app",
  "000000000000",
  `${sandboxWord}${randomBytes(16).toString("hex")}`,
];
const badKeys = [
  "00".repeat(32),
  "c3".repeat(32),
  "0123456789abcdef".repeat(4),
  Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString("hex"),
  Buffer.from("my key has exactly 32 letters!!!").toString("hex"),
  sandboxMark + randomBytes(28).toString("hex"),
];

/** Settings that are no secret and must not be what a sandbox has. */
const badChoices: Readonly<Record<string, readonly string[]>> = {
  FLORIN_HSM: ["software"],
  FLORIN_CRASH_POINT: ["after_send", "before_reply"],
  FLORIN_TLS_DIR: ["off", sandboxCertificates],
};

describe.each(definitions.map((definition) => [definition.process, definition] as const))("%s in production", (_process, definition) => {
  const good = goodEnvironment(definition);

  test("starts with settings that were drawn", () => {
    expect(() => loadConfig(definition, good)).not.toThrow();
  });

  const settings = Object.values(definition.settings).filter((setting) => badValuesOf(setting).length > 0);
  test.each(settings.map((setting) => [setting.env, setting] as const))(
    "refuses bad values of %s by its name, and does not repeat them",
    (env, setting) => {
      for (const value of badValuesOf(setting)) {
        const message = refusalOf(definition, { ...good, [env]: value });
        expect([value, message]).toEqual([value, expect.stringMatching(new RegExp(`^  ${env} .*: refused in production`, "m"))]);
        expect(message.split("\n").filter((line) => line.startsWith("  "))).toHaveLength(1);
        for (const secret of secretsIn(value)) expect(message).not.toContain(secret);
        // The same in a sandbox is nobody's concern.
        expect(() => loadConfig(definition, { ...good, FLORIN_ENVIRONMENT: "sandbox", [env]: value })).not.toThrow();
      }
    },
  );

  test("has no secret that is not tried here", () => {
    const untried = Object.values(definition.settings).filter((setting) => setting.holdsSecret && badValuesOf(setting).length === 0);
    expect(untried.map(({ env }) => env)).toEqual([]);
  });
});

test("a choice that is for sandboxes is refused as the default too", () => {
  const vault = definitions.find(({ process }) => process === "vault") as Definition;
  const { FLORIN_HSM: _hsm, ...without } = goodEnvironment(vault);
  expect(refusalOf(vault, without)).toContain("FLORIN_HSM is software");
});

test("servers that keep data have a password in production, and a processor is called over TLS", () => {
  const connectors = definitions.find(({ process }) => process === "connectors") as Definition;
  const plain = { ...goodEnvironment(connectors), FLORIN_SIMPAY_URL: "http://acquirer.example" };
  expect(refusalOf(connectors, plain)).toContain("FLORIN_SIMPAY_URL must begin with https://");
  const core = definitions.find(({ process }) => process === "switch") as Definition;
  for (const [env, url] of Object.entries({
    FLORIN_DATABASE_URL: "postgres://app@db.internal/x",
    FLORIN_REDIS_URL: "redis://cache.internal",
    FLORIN_NATS_URL: "nats://broker.internal",
  }))
    expect(refusalOf(core, { ...goodEnvironment(core), [env]: url })).toContain(`${env} has a password that is empty`);
});

async function definitionOf(workspace: string): Promise<Definition> {
  const module = (await import(pathToFileURL(join(rootFolder, workspace, "src", "config.ts")).href)) as Readonly<Record<string, unknown>>;
  const found = Object.values(module).find((value) => typeof value === "object" && value !== null && "describe" in value);
  return found as Definition;
}

function goodEnvironment(definition: Definition): Record<string, string> {
  const values = Object.values(definition.settings).map((setting) => [setting.env, goodValueOf(setting)] as const);
  return { ...Object.fromEntries(values.filter(([, value]) => value !== "")), FLORIN_ENVIRONMENT: "production" };
}

/** Empty: its default will do. */
function goodValueOf(setting: Setting<unknown>): string {
  if (setting.env === "FLORIN_HSM") return "pkcs11";
  const bytes = keyBytesOf(setting);
  if (bytes > 0) return randomBytes(bytes).toString("hex");
  if (setting.isSecret) return drawn();
  if (setting.holdsSecret) return urlWith(setting, drawn());
  return setting.isRequired ? "somewhere.internal:1" : "";
}

function badValuesOf(setting: Setting<unknown>): readonly string[] {
  const bytes = keyBytesOf(setting);
  if (bytes > 0) return badKeys.map((key) => key.slice(0, 2 * bytes));
  if (setting.isSecret) return badPasswords;
  if (setting.holdsSecret) return badPasswords.map((password) => urlWith(setting, password));
  return badChoices[setting.env] ?? [];
}

/** 0: it is no key. */
function keyBytesOf({ shape }: Setting<unknown>): number {
  return Number(/^(\d+) bytes in hex/.exec(shape)?.[1] ?? 0);
}

function urlWith(setting: Setting<unknown>, password: string): string {
  const protocol = /(\w+):\/\//.exec(setting.shape)?.[1] ?? "https";
  return `${protocol === "http" ? "https" : protocol}://app:${password}@somewhere.internal/x`;
}

/** What of a value must not be repeated: all of it, or the password of a URL where that is more than a word of the message. */
function secretsIn(value: string): readonly string[] {
  const password = URL.parse(value)?.password ?? value;
  return ["app", "password", "postgres", "off", "software", "after_send", "before_reply"].includes(password) ? [] : [password];
}

function refusalOf(definition: Definition, env: NodeJS.ProcessEnv): string {
  try {
    loadConfig(definition, env);
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
  return "it was accepted";
}
