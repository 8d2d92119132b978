/** What the tests on real servers share: a migrated database of its own, certificates, and the vault as a process. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { makeId } from "@florin/kernel";
import { connectPostgres, createServiceDatabase, type Sql } from "@florin/runtime/postgres";
import { type Client, connectFramed, type FramedConnection } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { freePortBlock, temporaryFolder, testPostgres, untilTrue } from "@florin/runtime/testing";
import { loadTls, makeCertificates } from "@florin/runtime/tls";
import { migrate } from "../src/migrate.ts";
import { provisionPublishableKey } from "../src/provision.ts";

export const logger = createLogger({ service: "test", level: "silent" });
/** Drawn, as production wants it: some tests start the vault there. */
export const pepper = randomBytes(32).toString("hex");
export const kek = "c3".repeat(32);
export const newId = (kind: "merchant" | "payment") => makeId(kind, Date.now(), randomBytes(10));

export type Stage = {
  readonly superuserUrl: string;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly certificates: string;
  /** As the owner of the database. */
  readonly sql: Sql;
  key(merchantId: string, mode?: "test" | "live"): Promise<string>;
  close(): Promise<void>;
};

export async function openStage(): Promise<Stage> {
  const server = await testPostgres();
  const { ownerUrl, appUrl } = await createServiceDatabase({
    superuserUrl: server.superuserUrl,
    database: "florin_vault",
    ownerPassword: randomBytes(16).toString("hex"),
    appPassword: randomBytes(16).toString("hex"),
  });
  await migrate(ownerUrl);
  const certificates = temporaryFolder();
  const names = ["vault", "switch", "connectors", "edge", "ledger", "client"];
  await makeCertificates({ directory: certificates, names, authorityName: "Test CA" });
  const sql = connectPostgres({ url: ownerUrl, name: "test", connectionsMax: 2 });
  return {
    superuserUrl: server.superuserUrl,
    ownerUrl,
    appUrl,
    certificates,
    sql,
    async key(merchantId, mode = "test") {
      return (await provisionPublishableKey({ ownerUrl, pepper, merchantId, mode })).publishableKey;
    },
    async close() {
      await sql.end({ timeout: 5 });
      await server.stop();
    },
  };
}

export type VaultProcess = {
  readonly url: string;
  readonly address: string;
  readonly adminUrl: string;
  readonly child: ChildProcess;
  /** Everything it wrote to stdout and stderr. */
  output(): string;
  /** Its exit code. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<number | null>;
};

export async function startVault(stage: Stage, env: Readonly<Record<string, string>> = {}): Promise<VaultProcess> {
  const httpPort = await freePortBlock(3);
  const [grpcPort, adminPort] = [httpPort + 1, httpPort + 2];
  const child = spawn(process.execPath, [new URL("../src/main.ts", import.meta.url).pathname], {
    env: {
      ...process.env,
      FLORIN_TLS_DIR: stage.certificates,
      FLORIN_DATABASE_URL: stage.appUrl,
      FLORIN_API_KEY_PEPPER: pepper,
      FLORIN_KEK: kek,
      FLORIN_HTTP_PORT: String(httpPort),
      FLORIN_GRPC_PORT: String(grpcPort),
      FLORIN_ADMIN_PORT: String(adminPort),
      // One address hands in the cards of all tests.
      FLORIN_TOKENS_PER_ADDRESS_PER_MINUTE: "100000000",
      FLORIN_TOKENS_PER_ADDRESS_BURST: "1000000",
      FLORIN_TOKENS_PER_KEY_PER_MINUTE: "100000000",
      FLORIN_TOKENS_PER_KEY_BURST: "1000000",
      FLORIN_API_KEY_TTL_MS: "200",
      FLORIN_API_KEY_UNKNOWN_TTL_MS: "200",
      FLORIN_LOG_LEVEL: "debug",
      FLORIN_DIE_WITH_PARENT: "1",
      ...env,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => output.push(chunk.toString()));
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const vault: VaultProcess = {
    url: `http://127.0.0.1:${httpPort}`,
    address: `127.0.0.1:${grpcPort}`,
    adminUrl,
    child,
    output: () => output.join(""),
    async stop(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const exited = once(child, "exit");
      child.kill(signal);
      return (await exited)[0] as number | null;
    },
  };
  await untilTrue(async () => {
    if (child.exitCode !== null) return true;
    return (await fetch(`${adminUrl}/health/ready`)).status === 200;
  }, 20_000);
  if (child.exitCode !== null) throw new Error(`the vault ended with ${child.exitCode}: ${vault.output()}`);
  return vault;
}

export type VaultClient = Client<typeof VaultService> & FramedConnection;

/** A framed client with the certificate of `name`. */
export async function clientOf(stage: Stage, vault: VaultProcess, name: string): Promise<VaultClient> {
  const client = connectFramed(VaultService, { address: vault.address, tls: loadTls(stage.certificates, name), peerName: "vault", logger });
  if (!(await client.untilConnected(5_000))) throw new Error(`${name} cannot connect`);
  return client;
}

export type TokenAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Record<string, unknown>;
};

/** One call as a page makes it. A body that is text is sent as it is. */
export async function postToken(
  vault: VaultProcess,
  key: string | undefined,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  const response = await fetch(`${vault.url}/v1/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as Record<string, unknown> };
}

export const cardBody = (number: string, changes: Record<string, unknown> = {}) => ({
  card: { number, exp_month: 12, exp_year: 2035, cvc: number.startsWith("37") ? "1234" : "123", ...changes },
});

/** A token for a card; throws when there is none. */
export async function tokenOf(vault: VaultProcess, key: string, number: string, changes: Record<string, unknown> = {}): Promise<string> {
  const { status, body, text } = await postToken(vault, key, cardBody(number, changes));
  if (status !== 201) throw new Error(`${status}: ${text}`);
  return String(body["id"]);
}
