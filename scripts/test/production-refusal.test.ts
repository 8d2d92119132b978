/**
 * Every process, told what `npm run up` tells it, in production: it ends and names each credential of the sandbox, and shows none of them, neither
 * then nor when it cannot start for another reason.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "@florin/runtime/tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rootFolder } from "../root-folder.ts";
import { databaseNames } from "../up/database-names.ts";
import type { DatabaseUrls } from "../up/databases.ts";
import { readUpOptions } from "../up/options.ts";
import { planPorts } from "../up/ports.ts";
import { loadSecrets, type StackSecrets } from "../up/secrets.ts";
import { certificateNames, describeServices, type Service, type ServiceName, serviceEnvironment } from "../up/services.ts";
import { freeBasePort } from "./command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "florin-refusal-"));
let secrets: StackSecrets;
let services: readonly Service[];

beforeAll(async () => {
  secrets = loadSecrets(directory);
  await makeCertificates({ directory, names: certificateNames });
  const ports = await planPorts(await freeBasePort());
  const urls = databaseNames.map((name) => {
    const at = (role: "owner" | "app") =>
      `postgres://${name}_${role}:${secrets.databasePasswords[name][role]}@127.0.0.1:${ports.postgres}/${name}`;
    return [name, { ownerUrl: at("owner"), appUrl: at("app") }] as const;
  });
  services = describeServices({
    options: readUpOptions([], {}),
    ports,
    secrets,
    databases: Object.fromEntries(urls) as DatabaseUrls,
    redisUrl: `redis://default:${secrets.redisPassword}@127.0.0.1:${ports.redis}`,
    natsUrl: `nats://127.0.0.1:${ports.nats}`,
  });
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const database = ["FLORIN_DATABASE_URL"];
const simlater = ["FLORIN_SIMLATER_API_KEY", "FLORIN_SIMLATER_CALLBACK_KEY"];
const refused: readonly (readonly [ServiceName, readonly string[]])[] = [
  ["edge", [...database, "FLORIN_TLS_DIR", "FLORIN_API_KEY_PEPPER"]],
  ["switch", [...database, "FLORIN_TLS_DIR", "FLORIN_REDIS_URL", "FLORIN_NATS_URL"]],
  [
    "connectors",
    ["FLORIN_TLS_DIR", "FLORIN_SIMPAY_API_KEY", "FLORIN_SIMPAY_URL", "FLORIN_SIMISO_MAC_KEY", "FLORIN_SIMLATER_URL", ...simlater],
  ],
  ["vault", [...database, "FLORIN_TLS_DIR", "FLORIN_API_KEY_PEPPER", "FLORIN_KEK", "FLORIN_HSM"]],
  ["ledger", [...database, "FLORIN_TLS_DIR", "FLORIN_NATS_URL"]],
  ["simulator", [...database, "FLORIN_SIMPAY_API_KEY", "FLORIN_SIMULATOR_ISO8583_MAC_KEY", ...simlater]],
];

test.each(refused)("%s does not start in production with what up gives it, and says so of %j", async (name, variables) => {
  const { code, output } = await runService(name, { FLORIN_ENVIRONMENT: "production" });
  expect(code).not.toBe(0);
  const named = [...output.matchAll(/^ {2}(FLORIN_\w+) .*refused in production/gm)].map((match) => match[1]);
  expect(named.toSorted()).toEqual([...variables].toSorted());
  expect(leakedInto(output)).toEqual([]);
});

test.each(refused.map(([name]) => [name]))(
  "%s shows no secret when its database, its peers and its certificates are away",
  async (name) => {
    const { code, output } = await runService(name, { FLORIN_TLS_DIR: join(directory, "nothing"), FLORIN_LOG_LEVEL: "debug" });
    // The simulator needs no certificate: it waits for its database and listens.
    if (name !== "simulator") expect([code, output]).toEqual([1, expect.stringContaining("cannot start")]);
    expect(leakedInto(output)).toEqual([]);
  },
);

/** Ends it after a while when it does not end itself. */
async function runService(name: ServiceName, env: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> {
  const service = services.find((one) => one.name === name) as Service;
  const child = spawn(process.execPath, [service.main], {
    cwd: rootFolder,
    env: {
      PATH: process.env["PATH"],
      ...serviceEnvironment(service, { tlsDirectory: directory, compiledDirectory: join(directory, "compiled"), env }),
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("simulator listens")) child.kill("SIGTERM");
    });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

/** Names of the secrets that stand in a text. */
function leakedInto(text: string): readonly string[] {
  const passwords = databaseNames.flatMap((name) =>
    Object.entries(secrets.databasePasswords[name]).map(([role, password]) => [`${name} ${role}`, password] as const),
  );
  const all = [
    ["pepper", secrets.apiKeyPepper],
    ["kek", secrets.keyEncryptionKey],
    ["simpay", secrets.simpayApiKey],
    ["simlater", secrets.simlaterApiKey],
    ["callbacks", secrets.simlaterCallbackKey],
    ["redis", secrets.redisPassword],
    ...passwords,
  ] as const;
  return all.filter(([, value]) => text.includes(value)).map(([name]) => name);
}
