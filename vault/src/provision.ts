/**
 * Makes a publishable key for a merchant, and takes one away. The database keeps a keyed hash only.
 *
 *     FLORIN_DATABASE_OWNER_URL=… FLORIN_API_KEY_PEPPER=… node vault/src/provision.ts mer_… test https://shop.example
 */
import { randomBytes } from "node:crypto";
import { assert, idToHex, isId, Secret } from "@florin/kernel";
import { readSecretVariable } from "@florin/runtime/config";
import { arrayLiteral, connectPostgres, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import { keyHash } from "./app/key-hash.ts";
import { isOrigin } from "./domain/envelope.ts";
import { keyRandomBytes, makePublishableKey } from "./domain/publishable-key.ts";
import type { Mode } from "./domain/token.ts";

const pepperHex = /^[0-9a-f]{64}$/i;
const pepperBytes = 32;

/** FLORIN_API_KEY_PEPPER: 32 bytes, or the same in hex. */
export type Pepper = string | Secret | Uint8Array;

/**
 * A new key of `mode` for the merchant `merchantId` ("mer_…"). Every call makes another key. `origins`: pages on which its card fields may stand
 * ("https://shop.example"); none is any.
 */
export async function provisionPublishableKey(o: {
  ownerUrl: string;
  pepper: Pepper;
  merchantId: string;
  mode: Mode;
  origins?: readonly string[];
}): Promise<{ publishableKey: string }> {
  const { origins = [] } = o;
  assert(isId("merchant", o.merchantId), "merchantId is a merchant's id");
  assert(origins.every(isOrigin), "an origin is scheme, host and port, as a browser writes it");
  const publishableKey = makePublishableKey(o.mode, randomBytes(keyRandomBytes));
  const hashed = keyHash(bytesOf(o.pepper), publishableKey);
  await withDatabase(o.ownerUrl, async (sql) => {
    await sql`
      INSERT INTO publishable_keys (key_hash, merchant_id, mode, origins)
      VALUES (${hashed}, ${idToHex(o.merchantId)}::uuid, ${o.mode}, ${arrayLiteral(origins)}::text[])`;
  });
  return { publishableKey };
}

/** Revokes a key; safe to repeat. Vaults notice within FLORIN_API_KEY_TTL_MS. */
export async function revokePublishableKey(o: { ownerUrl: string; pepper: Pepper; publishableKey: string }): Promise<void> {
  const hashed = keyHash(bytesOf(o.pepper), o.publishableKey);
  await withDatabase(o.ownerUrl, async (sql) => {
    // Index: publishable_keys_pkey (key_hash).
    await sql`UPDATE publishable_keys SET revoked_at = now() WHERE key_hash = ${hashed} AND revoked_at IS NULL`;
  });
}

function bytesOf(pepper: Pepper): Uint8Array {
  const bytes =
    typeof pepper === "string"
      ? Buffer.from(pepperHex.test(pepper) ? pepper : "", "hex")
      : pepper instanceof Secret
        ? pepper.expose()
        : pepper;
  assert(bytes.length === pepperBytes, "the pepper is 32 bytes, or the same in hex");
  return bytes;
}

async function withDatabase(url: string, work: (sql: Sql) => Promise<void>): Promise<void> {
  const sql = connectPostgres({ url, name: "florin-vault-provision", connectionsMax: 1 });
  try {
    await work(sql);
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

if (import.meta.main) {
  const ownerUrl = readSecretVariable(process.env, "FLORIN_DATABASE_OWNER_URL") ?? "";
  const pepper = readSecretVariable(process.env, "FLORIN_API_KEY_PEPPER") ?? "";
  const [merchantId = "", mode = "test", ...origins] = process.argv.slice(2);
  if (
    ownerUrl === "" ||
    !pepperHex.test(pepper) ||
    !isId("merchant", merchantId) ||
    !origins.every(isOrigin) ||
    (mode !== "test" && mode !== "live")
  ) {
    process.stderr.write(
      "usage: FLORIN_DATABASE_OWNER_URL=… FLORIN_API_KEY_PEPPER=<64 hex> node vault/src/provision.ts <mer_…> [test|live] [https://shop.example …]\n",
    );
    process.exitCode = 1;
  } else process.stdout.write(`${JSON.stringify(await provisionPublishableKey({ ownerUrl, pepper, merchantId, mode, origins }))}\n`);
}
