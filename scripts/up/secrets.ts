/**
 * Secrets of one local stack: made once, kept in `<directory>/secrets.json` (mode 0600), never logged.
 *
 * They are for the sandbox. In production they come from the operator's own store, through the same environment variables.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DatabaseName, databaseNames } from "./databases.ts";

export type StackSecrets = {
  readonly apiKeyPepper: string;
  readonly keyEncryptionKey: string;
  readonly simpayApiKey: string;
  readonly redisPassword: string;
  readonly databasePasswords: Readonly<Record<DatabaseName, { readonly owner: string; readonly app: string }>>;
  /** Set by the first start, once the merchant exists. */
  readonly merchant?: { readonly id: string; readonly secretKey: string; readonly publishableKey: string };
};

const hex = (bytes: number): string => randomBytes(bytes).toString("hex");

export function loadSecrets(directory: string): StackSecrets {
  const file = join(directory, "secrets.json");
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as StackSecrets;
  const passwords = Object.fromEntries(databaseNames.map((name) => [name, { owner: hex(16), app: hex(16) }]));
  const secrets: StackSecrets = {
    apiKeyPepper: hex(32),
    keyEncryptionKey: hex(32),
    simpayApiKey: `simpay_${hex(16)}`,
    redisPassword: hex(16),
    databasePasswords: passwords as StackSecrets["databasePasswords"],
  };
  saveSecrets(directory, secrets);
  return secrets;
}

export function saveSecrets(directory: string, secrets: StackSecrets): void {
  writeFileSync(join(directory, "secrets.json"), `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
}
