/** `.florin/up.json`: what a running stack says of itself. Read and checked here, trusted everywhere else. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type UpFile = {
  readonly edgeUrl: string;
  readonly vaultUrl: string;
  readonly simulatorUrl: string;
  readonly secretKey: string;
  readonly publishableKey: string;
  /** A superuser's URL; every service has a database of its own in this server. */
  readonly databaseUrl: string;
  readonly redisUrl: string | null;
  readonly natsUrl: string | null;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
};

const required = ["edgeUrl", "vaultUrl", "simulatorUrl", "secretKey", "publishableKey", "databaseUrl", "processes"] as const;

/** The running stack of `directory`. Throws a sentence that says what to do when there is none. */
export function readUpFile(directory: string): UpFile {
  const file = join(directory, "up.json");
  if (!existsSync(file)) throw new Error(`no stack runs in ${directory}: start one with npm run up -- --detach`);
  const up = JSON.parse(readFileSync(file, "utf8")) as Partial<UpFile>;
  const missing = required.filter((name) => up[name] === undefined);
  if (missing.length > 0) throw new Error(`${file} lacks ${missing.join(", ")}: was it written by another release?`);
  return { ...(up as UpFile), redisUrl: up.redisUrl ?? null, natsUrl: up.natsUrl ?? null };
}

/** The URL of one service's database, for the superuser. */
export function serviceDatabaseUrl(up: UpFile, database: string): string {
  const url = new URL(up.databaseUrl);
  url.pathname = `/${database}`;
  return url.toString();
}
