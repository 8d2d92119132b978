/**
 * Secrets of one local stack: made once, kept in `<directory>/secrets.json` (mode 0600), never logged.
 *
 * They are for the sandbox and marked so: a process in production refuses them. There they come from the operator's own store, through the
 * same environment variables or the files that these name.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sandboxMark, sandboxWord } from "@florin/runtime/config";
import { type DatabaseName, databaseNames } from "./database-names.ts";
import { writeWhole } from "./whole-file.ts";

export type StackSecrets = {
  readonly apiKeyPepper: string;
  readonly keyEncryptionKey: string;
  readonly simpayApiKey: string;
  /** Both keys of the retail MAC between simiso and the simulator's host. */
  readonly simisoMacKey: string;
  readonly simlaterApiKey: string;
  readonly simlaterCallbackKey: string;
  readonly redisPassword: string;
  readonly databasePasswords: Readonly<Record<DatabaseName, { readonly owner: string; readonly app: string }>>;
  /** The test merchant of each PostgreSQL that this stack has run on: its own, and those of DATABASE_URL. */
  readonly merchants: readonly Merchant[];
};

export type Merchant = { readonly id: string; readonly secretKey: string; readonly publishableKey: string };

/** 32 bytes, of which 28 are random. */
const sandboxKey = (): string => sandboxMark + randomBytes(28).toString("hex");
/** 16 bytes, of which 12 are random. */
const sandboxMacKey = (): string => sandboxMark + randomBytes(12).toString("hex");
const sandboxPassword = (): string => sandboxWord + randomBytes(16).toString("hex");

export function loadSecrets(directory: string): StackSecrets {
  const file = join(directory, "secrets.json");
  if (existsSync(file)) return withLaterSecrets(directory, readSecrets(file));
  const passwords = Object.fromEntries(databaseNames.map((name) => [name, { owner: sandboxPassword(), app: sandboxPassword() }]));
  const secrets: StackSecrets = {
    apiKeyPepper: sandboxKey(),
    keyEncryptionKey: sandboxKey(),
    simpayApiKey: `simpay_${sandboxPassword()}`,
    simisoMacKey: sandboxMacKey(),
    ...drawSimlater(),
    redisPassword: sandboxPassword(),
    databasePasswords: passwords as StackSecrets["databasePasswords"],
    merchants: [],
  };
  saveSecrets(directory, secrets);
  return secrets;
}

/** A directory of an earlier release lacks what came since. Nothing that is stored was made with it. */
function withLaterSecrets(directory: string, secrets: Omit<StackSecrets, "simisoMacKey"> & Partial<StackSecrets>): StackSecrets {
  const { simisoMacKey } = secrets;
  if (simisoMacKey !== undefined) return { ...secrets, simisoMacKey };
  const completed = { ...secrets, simisoMacKey: sandboxMacKey() };
  saveSecrets(directory, completed);
  return completed;
}

/** Nothing that is kept hangs on these: a stack that is older than they are draws them at each start. */
function drawSimlater(): Pick<StackSecrets, "simlaterApiKey" | "simlaterCallbackKey"> {
  return { simlaterApiKey: `simlater_${sandboxPassword()}`, simlaterCallbackKey: sandboxKey() };
}

/** New keys in the place of a damaged file would make the data unreadable for good. */
function readSecrets(file: string): Omit<StackSecrets, "simisoMacKey"> & Partial<StackSecrets> {
  try {
    return {
      merchants: [],
      ...drawSimlater(),
      ...(JSON.parse(readFileSync(file, "utf8")) as Omit<StackSecrets, "merchants" | "simisoMacKey">),
    };
  } catch {
    // Not the error itself: it quotes what it could not read.
    throw new Error(`${file} cannot be read: mend it, or start over with --fresh`);
  }
}

export function saveSecrets(directory: string, secrets: StackSecrets): void {
  writeWhole(join(directory, "secrets.json"), secrets);
}
