/**
 * The stack of a drill: as `up --profile full` makes it, but held by this process, so that each part can be broken and mended by itself.
 *
 * The links of the switch go through proxies of ours. Every process is recorded in the directory's `run.json` as soon as it lives, so that
 * `npm run down -- --directory …` ends what a killed drill leaves behind.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { freePortBlock } from "@florin/runtime/testing";
import postgres from "postgres";
import { startPostgres } from "../../../scripts/up/databases.ts";
import { readUpOptions } from "../../../scripts/up/options.ts";
import { makePlace, wipePlace } from "../../../scripts/up/place.ts";
import { startNats, startRedis } from "../../../scripts/up/servers.ts";
import { type Service, type ServiceName, serviceEnvironment } from "../../../scripts/up/services.ts";
import { type Foundation, layFoundation } from "../../../scripts/up/start-stack.ts";
import { claimDirectory, clearState } from "../../../scripts/up/state-files.ts";
import { Supervisor } from "../../../scripts/up/supervisor.ts";
import { rootFolder } from "../stack/own-stack.ts";
import { serviceDatabaseUrl, type UpFile } from "../stack/up-file.ts";
import { TcpProxy } from "./network/tcp-proxy.ts";
import type { Random } from "./random.ts";

export const linkNames = ["edge_switch", "switch_connectors", "switch_vault", "switch_postgres"] as const;
export type LinkName = (typeof linkNames)[number];
export type ServerName = "postgres" | "redis" | "nats";

const portsOfStack = 40;
const startTriesMax = 5;
const simulatorLatency = "20";

export type DrillStackOptions = {
  readonly random: Random;
  readonly notice: (line: string) => void;
  readonly signal: AbortSignal;
};

type Made = { readonly foundation: Foundation; readonly links: Readonly<Record<LinkName, TcpProxy>>; readonly up: UpFile };

export class DrillStack {
  readonly directory: string;
  readonly #o: DrillStackOptions;
  readonly #supervisor: Supervisor;
  #made: Made | undefined;

  private constructor(o: DrillStackOptions) {
    this.#o = o;
    this.directory = mkdtempSync(join(tmpdir(), "florin-drill-"));
    makePlace(this.directory);
    const logFolder = join(this.directory, "logs");
    this.#supervisor = new Supervisor({ directory: this.directory, logFolder, restarts: false, notice: o.notice });
  }

  /** A fresh stack on free ports in a folder of its own. Ends what it started when it throws. */
  static async start(o: DrillStackOptions): Promise<DrillStack> {
    const stack = new DrillStack(o);
    try {
      await stack.#start();
      return stack;
    } catch (thrown) {
      await stack.stop({ keepsData: false });
      throw thrown;
    }
  }

  /** Resolves with the reason when one of our processes ends although no fault meant it to. */
  get failed(): Promise<string> {
    return this.#supervisor.failed;
  }

  get up(): UpFile {
    return this.#get().up;
  }

  get links(): Readonly<Record<LinkName, TcpProxy>> {
    return this.#get().links;
  }

  get merchantId(): string {
    return this.#get().foundation.merchant.id;
  }

  get natsFolder(): string {
    return join(this.directory, "nats");
  }

  kill(name: ServiceName): Promise<void> {
    return this.#supervisor.kill(name);
  }

  /** Starts what was killed, and again when it ends before it is ready (its database may still be away), as any process manager does. */
  async startAgain(name: ServiceName): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#supervisor.startAgain(name);
      } catch (thrown) {
        if (tries === startTriesMax || this.#o.signal.aborted) throw thrown;
      }
    }
  }

  /** Starts what was killed for one life that ends by itself, as `env` tells it to; resolves when it has. */
  async liveOnce(name: ServiceName, env: NodeJS.ProcessEnv): Promise<void> {
    const start = this.#supervisor.startAgain(name, env).catch(() => undefined);
    await this.#supervisor.expectEnd(name);
    await start;
  }

  /** The newest process id of a server. */
  pidOf(name: ServerName): number {
    const known = this.#supervisor.processes.find((one) => one.name === name);
    if (known === undefined) throw new Error(`${name} was not started`);
    return known.pid;
  }

  /** Starts a server that was killed, on the same port and data. */
  async startServer(name: ServerName): Promise<void> {
    const { ports, plans, secrets } = this.#get().foundation;
    const { directory } = this;
    const onPid = (pid: number) => this.#supervisor.addServer(name, pid);
    if (name === "redis") await startRedis({ directory, plan: plans.redis, port: ports.redis, password: secrets.redisPassword, onPid });
    else if (name === "nats") await startNats({ directory, plan: plans.nats, port: ports.nats, onPid });
    else {
      const { pid } = await startPostgres({ directory, port: ports.postgres, databaseUrl: undefined, notice: this.#o.notice });
      this.#supervisor.addServer(name, pid);
    }
  }

  /** A session pool of a superuser in the switch's database. The caller ends it. */
  connect(connectionsMax: number): ReturnType<typeof postgres> {
    return postgres(serviceDatabaseUrl(this.up, "florin_switch"), {
      max: connectionsMax,
      fetch_types: false,
      connection: { application_name: "florin-drill" },
      onnotice: () => undefined,
    });
  }

  /** Who owns the data of PostgreSQL, and where it is. */
  get dataFolder(): string {
    return join(this.directory, "postgres");
  }

  /** A rule of the simulated acquirer; answers its id. */
  async addRule(rule: Readonly<Record<string, unknown>>): Promise<number> {
    const response = await fetch(`${this.up.simulatorUrl}/admin/rules`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(rule),
    });
    if (response.status !== 201) throw new Error(`the simulator refused a rule: ${await response.text()}`);
    return ((await response.json()) as { id: number }).id;
  }

  async timesHappened(id: number): Promise<number> {
    const response = await fetch(`${this.up.simulatorUrl}/admin/rules`);
    const { rules } = (await response.json()) as { rules: readonly { id: number; happened: number }[] };
    return rules.find((rule) => rule.id === id)?.happened ?? 0;
  }

  async removeRules(ids?: readonly number[]): Promise<void> {
    const paths = ids === undefined ? [""] : ids.map((id) => `/${id}`);
    for (const path of paths) await fetch(`${this.up.simulatorUrl}/admin/rules${path}`, { method: "DELETE" });
  }

  /** The secret key of one more merchant. */
  async addMerchant(name: string): Promise<string> {
    const { databases, secrets } = this.#get().foundation;
    const file = pathToFileURL(join(rootFolder, "gateway-edge", "src", "provision.ts")).href;
    type Provision = (o: { ownerUrl: string; pepper: string; name: string; mode: "test" }) => Promise<{ secretKey: string }>;
    const { provisionMerchant } = (await import(file)) as { provisionMerchant: Provision };
    const made = await provisionMerchant({ ownerUrl: databases.florin_edge.ownerUrl, pepper: secrets.apiKeyPepper, name, mode: "test" });
    return made.secretKey;
  }

  /** Ends everything, in order and by process id. Safe to repeat. */
  async stop(o: { readonly keepsData: boolean }): Promise<readonly string[]> {
    const complaints = await this.#supervisor.stop();
    for (const proxy of Object.values(this.#made?.links ?? {})) await proxy.close();
    if (o.keepsData) clearState(this.directory);
    else {
      wipePlace(this.directory);
      rmSync(this.directory, { recursive: true, force: true });
    }
    return complaints;
  }

  async #start(): Promise<void> {
    const { signal, notice } = this.#o;
    claimDirectory(this.directory);
    const base = await freePortBlock(portsOfStack);
    const words = ["--port", String(base), "--profile", "full", "--directory", this.directory, "--simulator-latency", simulatorLatency];
    const options = readUpOptions(words, process.env);
    const { DATABASE_URL: _database, REDIS_URL: _redis, NATS_URL: _nats, ...env } = process.env;
    const foundation = await layFoundation({ options, supervisor: this.#supervisor, env, notice, signal });
    const links = await this.#link(foundation);
    const { ports, merchant, servers, tlsDirectory, compiledDirectory } = foundation;
    const services = foundation.services.map((service) => throughLinks(service, links));
    await this.#supervisor.startServices(
      services.map((service) => ({ service, env: serviceEnvironment(service, { tlsDirectory, compiledDirectory, env }) })),
    );
    const url = (port: number) => `http://127.0.0.1:${port}`;
    const up: UpFile = {
      edgeUrl: url(ports.edge),
      vaultUrl: url(ports.vault),
      simulatorUrl: url(ports.simulator),
      secretKey: merchant.secretKey,
      publishableKey: merchant.publishableKey,
      databaseUrl: servers.postgres.superuserUrl,
      redisUrl: servers.redis?.url ?? null,
      natsUrl: servers.nats?.url ?? null,
      processes: [],
    };
    this.#made = { foundation, links, up };
  }

  async #link({ ports }: Foundation): Promise<Readonly<Record<LinkName, TcpProxy>>> {
    const targets: Readonly<Record<LinkName, number>> = {
      edge_switch: ports.switchGrpc,
      switch_connectors: ports.connectorsGrpc,
      switch_vault: ports.vaultGrpc,
      switch_postgres: ports.postgres,
    };
    const entries = linkNames.map(async (name) => {
      const proxy = await TcpProxy.start({ targetHost: "127.0.0.1", targetPort: targets[name], random: this.#o.random });
      return [name, proxy] as const;
    });
    return Object.fromEntries(await Promise.all(entries)) as Record<LinkName, TcpProxy>;
  }

  #get(): Made {
    if (this.#made === undefined) throw new Error("the stack is not there yet");
    return this.#made;
  }
}

/** The service with its way to others over our proxies. */
function throughLinks(service: Service, links: Readonly<Record<LinkName, TcpProxy>>): Service {
  const at = (name: LinkName) => `127.0.0.1:${links[name].port}`;
  if (service.name === "edge") return { ...service, env: { ...service.env, FLORIN_SWITCH_ADDRESS: at("edge_switch") } };
  if (service.name !== "switch") return service;
  const database = new URL(service.env["FLORIN_DATABASE_URL"] ?? "");
  database.port = String(links.switch_postgres.port);
  return {
    ...service,
    env: {
      ...service.env,
      FLORIN_DATABASE_URL: database.toString(),
      FLORIN_CONNECTORS_ADDRESS: at("switch_connectors"),
      FLORIN_VAULT_ADDRESS: at("switch_vault"),
    },
  };
}

/** A process and its children, by /proc. */
export function familyOf(pid: number): readonly number[] {
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => parentOf(child) === pid);
  return [pid, ...children];
}

function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}
