/**
 * PostgreSQL for the stack: the one of DATABASE_URL, or our own from npm; in it one database per service, migrated.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createServiceDatabase, dropServiceDatabase, startEmbeddedPostgres } from "@florin/runtime/postgres";
import { rootFolder } from "../root-folder.ts";
import { isApart, makeDataPlace } from "./data-place.ts";
import { assertKeysFit, assertSuperuser, keyMarkOf, markKeys } from "./database-keys.ts";
import { type DatabaseName, databaseNames, workspaces } from "./database-names.ts";
import type { StackSecrets } from "./secrets.ts";

export type DatabaseUrls = Readonly<Record<DatabaseName, { readonly ownerUrl: string; readonly appUrl: string }>>;
export type PostgresPart = { readonly superuserUrl: string; readonly pid: number | undefined; readonly description: string };

/** The operator's PostgreSQL when DATABASE_URL (a superuser) is set; otherwise our own, its data below `directory`. */
export async function startPostgres(o: {
  directory: string;
  port: number;
  databaseUrl: string | undefined;
  notice: (line: string) => void;
}): Promise<PostgresPart> {
  if (o.databaseUrl !== undefined && o.databaseUrl !== "") {
    await assertSuperuser(o.databaseUrl);
    return { superuserUrl: o.databaseUrl, pid: undefined, description: "PostgreSQL of DATABASE_URL" };
  }
  const place = makeDataPlace(o.directory);
  if (isApart(place, o.directory))
    o.notice(`PostgreSQL runs as the account postgres, which may not enter ${o.directory}: its data is in ${place}`);
  const postgres = await startEmbeddedPostgres({ directory: place, port: o.port });
  return { superuserUrl: postgres.superuserUrl, pid: postgres.pid, description: "PostgreSQL from npm" };
}

/** Makes the databases and brings their tables up to date; safe to repeat. Throws when they hold data of other keys than `secrets`. */
export async function prepareDatabases(superuserUrl: string, secrets: StackSecrets): Promise<DatabaseUrls> {
  const mark = keyMarkOf(secrets);
  await assertKeysFit(superuserUrl, mark);
  const urls = await Promise.all(
    databaseNames.map(async (database) => {
      const { owner, app } = secrets.databasePasswords[database];
      return [database, await createServiceDatabase({ superuserUrl, database, ownerPassword: owner, appPassword: app })] as const;
    }),
  );
  await markKeys(superuserUrl, mark);
  await Promise.all(urls.map(([database, { ownerUrl }]) => migrate(workspaces[database], ownerUrl)));
  return Object.fromEntries(urls) as DatabaseUrls;
}

export async function dropDatabases(superuserUrl: string): Promise<void> {
  for (const database of databaseNames) await dropServiceDatabase({ superuserUrl, database });
}

async function migrate(workspace: string, ownerUrl: string): Promise<void> {
  const file = join(rootFolder, workspace, "src", "migrate.ts");
  const module = (await import(pathToFileURL(file).href)) as { migrate: (ownerUrl: string) => Promise<void> };
  await module.migrate(ownerUrl);
}
