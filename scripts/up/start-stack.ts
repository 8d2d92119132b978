/** From an empty directory to a first payment: the steps of `up`, in order. */
import { join } from "node:path";
import { makeCertificates } from "@florin/runtime/tls";
import { startShop } from "../../docs/examples/shop/shop.ts";
import { isRunning } from "../processes.ts";
import { type DatabaseUrls, dropDatabases, type PostgresPart, prepareDatabases, startPostgres } from "./databases.ts";
import { makeFirstPayment } from "./first-payment.ts";
import type { UpOptions } from "./options.ts";
import { wipePlace } from "./place.ts";
import { type Ports, planPorts } from "./ports.ts";
import { provisionOnce } from "./provision.ts";
import { renderReport } from "./report.ts";
import { loadSecrets, type Merchant, type StackSecrets } from "./secrets.ts";
import { planServers, type ServerPlans } from "./server-plan.ts";
import { type ServerPart, startNats, startRedis } from "./servers.ts";
import { certificateNames, describeServices, type Service, serviceEnvironment } from "./services.ts";
import { clearLeftovers, readRunFile, type UpFile, writeAddressesFile, writeUpFile } from "./state-files.ts";
import { stopInOrder } from "./stop.ts";
import type { ServerName, Supervisor } from "./supervisor.ts";

type StartOptions = {
  readonly options: UpOptions;
  readonly supervisor: Supervisor;
  readonly env: NodeJS.ProcessEnv;
  readonly notice: (line: string) => void;
  /** Ends what takes long and can be left undone. */
  readonly signal: AbortSignal;
};

/** Starts the stack of `options.directory`, which this process holds; answers the text to print. */
export async function startStack(o: StartOptions): Promise<string> {
  const startedAtMs = Date.now();
  const { options, supervisor, env } = o;
  const { directory } = options;
  const { ports, servers, merchant, services, ...directories } = await layFoundation(o);
  await supervisor.startServices(services.map((service) => ({ service, env: serviceEnvironment(service, { ...directories, env }) })));

  const urls = {
    edgeUrl: `http://127.0.0.1:${ports.edge}`,
    vaultUrl: `http://127.0.0.1:${ports.vault}`,
    simulatorUrl: `http://127.0.0.1:${ports.simulator}`,
    simulatorIso8583Url: `tcp://127.0.0.1:${ports.simulatorIso8583}`,
    shopUrl: `http://127.0.0.1:${ports.shop}`,
  };
  const first = await makeFirstPayment({ edgeUrl: urls.edgeUrl, secretKey: merchant.secretKey });
  const { secretKey, publishableKey } = merchant;
  // A page for people to look at, in this process: it ends with the stack, and nothing leans on it.
  await startShop({ port: ports.shop, edgeUrl: urls.edgeUrl, vaultUrl: urls.vaultUrl, secretKey, publishableKey });
  const describeUp = (): UpFile => ({
    ...urls,
    secretKey,
    publishableKey,
    databaseUrl: servers.postgres.superuserUrl,
    redisUrl: servers.redis?.url ?? null,
    natsUrl: servers.nats?.url ?? null,
    processes: supervisor.processes.map(({ name, pid }) => ({ name, pid })),
  });
  const tls = env["FLORIN_TLS_DIR"] ?? directories.tlsDirectory;
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

export type Foundation = {
  readonly ports: Ports;
  readonly plans: ServerPlans;
  readonly secrets: StackSecrets;
  readonly servers: Servers;
  readonly databases: DatabaseUrls;
  readonly merchant: Merchant;
  /** Not started yet. */
  readonly services: readonly Service[];
  readonly tlsDirectory: string;
  /** What Node keeps of compiled sources. */
  readonly compiledDirectory: string;
};

/** Everything that our own processes stand on: servers, databases, a merchant, certificates. */
export async function layFoundation(o: StartOptions): Promise<Foundation> {
  const { options, env } = o;
  const { directory } = options;
  await stopLeftovers(directory, o.notice);
  // What can be found wrong is found before anything is wiped or started.
  const ports = await planPorts(options.port);
  const plans = await planServers({ profile: options.profile, env, notice: o.notice, signal: o.signal });
  if (options.isFresh) wipePlace(directory);
  const secrets = loadSecrets(directory);
  const servers = await startServers(o, { ports, plans, redisPassword: secrets.redisPassword });
  const { superuserUrl } = servers.postgres;
  if (options.isFresh && env["DATABASE_URL"]) await dropDatabases(superuserUrl);
  const databases = await prepareDatabases(superuserUrl, secrets);
  const merchant = await provisionOnce(directory, secrets, databases);
  const services = describeServices({ options, ports, secrets, databases, redisUrl: servers.redis?.url, natsUrl: servers.nats?.url });
  return {
    ports,
    plans,
    secrets,
    servers,
    databases,
    merchant,
    services,
    tlsDirectory: join(directory, "tls"),
    compiledDirectory: join(directory, "compiled"),
  };
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
  const left = readRunFile(directory)?.processes ?? [];
  if (left.some(isRunning)) notice("an earlier run was not stopped properly: ending what it left");
  for (const complaint of await stopInOrder(left)) notice(complaint);
  clearLeftovers(directory);
}

type Servers = {
  readonly postgres: PostgresPart;
  readonly redis: ServerPart | undefined;
  readonly nats: ServerPart | undefined;
};

/** PostgreSQL, Redis, NATS and the certificates, all at once; all of them have ended or stand when this returns or throws. */
async function startServers(
  o: StartOptions,
  { ports, plans, redisPassword }: { ports: Ports; plans: ServerPlans; redisPassword: string },
): Promise<Servers> {
  const { supervisor, env } = o;
  const { directory } = o.options;
  const onPid = (name: ServerName) => (pid: number) => supervisor.addServer(name, pid);
  const postgres = startPostgres({ directory, port: ports.postgres, databaseUrl: env["DATABASE_URL"], notice: o.notice }).then((part) => {
    supervisor.addServer("postgres", part.pid);
    return part;
  });
  const redis = startRedis({ directory, plan: plans.redis, port: ports.redis, password: redisPassword, onPid: onPid("redis") });
  const nats = startNats({ directory, plan: plans.nats, port: ports.nats, onPid: onPid("nats") });
  const certificates = makeCertificates({ directory: join(directory, "tls"), names: certificateNames });
  // One that failed must not let the others go on behind our back: they would outlive the stack.
  await Promise.allSettled([postgres, redis, nats, certificates]);
  await certificates;
  return { postgres: await postgres, redis: await redis, nats: await nats };
}
