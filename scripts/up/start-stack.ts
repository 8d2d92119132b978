/** From an empty directory to a first payment: the steps of `up`, in order. */
import { join } from "node:path";
import { makeCertificates } from "@florin/runtime/tls";
import { dropDatabases, prepareDatabases, startPostgres } from "./databases.ts";
import { makeFirstPayment } from "./first-payment.ts";
import type { UpOptions } from "./options.ts";
import { wipePlace } from "./place.ts";
import { type Ports, planPorts } from "./ports.ts";
import { provisionOnce } from "./provision.ts";
import { renderReport } from "./report.ts";
import { loadSecrets } from "./secrets.ts";
import { startNats, startRedis } from "./servers.ts";
import { certificateNames, describeServices, serviceEnvironment } from "./services.ts";
import { readRunFile, type UpFile, writeAddressesFile, writeUpFile } from "./state-files.ts";
import { stopInOrder } from "./stop.ts";
import type { Supervisor } from "./supervisor.ts";

type StartOptions = {
  readonly options: UpOptions;
  readonly supervisor: Supervisor;
  readonly env: NodeJS.ProcessEnv;
  readonly notice: (line: string) => void;
};

/** Starts the stack of `options.directory`, which this process holds; answers the text to print. */
export async function startStack(o: StartOptions): Promise<string> {
  const startedAtMs = Date.now();
  const { options, supervisor, env } = o;
  const { directory } = options;
  await stopLeftovers(directory, o.notice);
  if (options.isFresh) wipePlace(directory);
  const ports = await planPorts(options.port);
  const secrets = loadSecrets(directory);
  const servers = await startServers(o, ports, secrets.redisPassword);
  if (options.isFresh && env["DATABASE_URL"]) await dropDatabases(servers.postgres.superuserUrl);
  const databases = await prepareDatabases(servers.postgres.superuserUrl, secrets.databasePasswords);
  const merchant = await provisionOnce(directory, secrets, databases);
  const stack = { options, ports, secrets, databases, redisUrl: servers.redis?.url, natsUrl: servers.nats?.url };
  const tlsDirectory = join(directory, "tls");
  await supervisor.startServices(
    describeServices(stack).map((service) => ({ service, env: serviceEnvironment(service, { tlsDirectory, env }) })),
  );

  const urls = {
    edgeUrl: `http://127.0.0.1:${ports.edge}`,
    vaultUrl: `http://127.0.0.1:${ports.vault}`,
    simulatorUrl: `http://127.0.0.1:${ports.simulator}`,
  };
  const first = await makeFirstPayment({ edgeUrl: urls.edgeUrl, secretKey: merchant.secretKey });
  const describeUp = (): UpFile => ({
    ...urls,
    secretKey: merchant.secretKey,
    publishableKey: merchant.publishableKey,
    databaseUrl: servers.postgres.superuserUrl,
    redisUrl: servers.redis?.url ?? null,
    natsUrl: servers.nats?.url ?? null,
    processes: supervisor.processes.map(({ name, pid }) => ({ name, pid })),
  });
  const tls = env["FLORIN_TLS_DIR"] ?? tlsDirectory;
  writeAddressesFile(directory, { ...addressesOf(ports), tlsDirectory: tls, merchantId: merchant.id });
  supervisor.onChange = () => writeUpFile(directory, describeUp());
  supervisor.onChange();
  return renderReport({
    up: describeUp(),
    directory,
    postgres: servers.postgres.description,
    redis: servers.redis?.description,
    nats: servers.nats?.description,
    isTlsOff: tls === "off",
    durationMs: Date.now() - startedAtMs,
    first,
  });
}

function addressesOf(ports: Ports) {
  return {
    switchAddress: `127.0.0.1:${ports.switchGrpc}`,
    connectorsAddress: `127.0.0.1:${ports.connectorsGrpc}`,
    vaultAddress: `127.0.0.1:${ports.vaultGrpc}`,
    ledgerAddress: `127.0.0.1:${ports.ledgerGrpc}`,
  };
}

/** A supervisor that was killed leaves its servers, and perhaps processes that are still draining. */
async function stopLeftovers(directory: string, notice: (line: string) => void): Promise<void> {
  const left = readRunFile(directory);
  if (left === undefined) return;
  notice("an earlier run was not stopped properly: ending what it left");
  for (const complaint of await stopInOrder(left.processes)) notice(complaint);
}

/** PostgreSQL, Redis, NATS and the certificates, all at once. */
async function startServers(o: StartOptions, ports: Ports, redisPassword: string) {
  const { directory, profile } = o.options;
  const { supervisor, env } = o;
  const [postgres, redis, nats] = await Promise.all([
    startPostgres({ directory, port: ports.postgres, databaseUrl: env["DATABASE_URL"], notice: o.notice }).then((part) => {
      supervisor.addServer("postgres", part.pid);
      return part;
    }),
    startRedis({ directory, profile, port: ports.redis, password: redisPassword, env }).then((part) => {
      supervisor.addServer("redis", part?.pid);
      return part;
    }),
    startNats({ directory, profile, port: ports.nats, env }).then((part) => {
      supervisor.addServer("nats", part?.pid);
      return part;
    }),
    makeCertificates({ directory: join(directory, "tls"), names: certificateNames }),
  ]);
  return { postgres, redis, nats };
}
