/**
 * Makes a merchant and its secret key, and takes a key away. The whole key is shown once, here; the database keeps a keyed hash.
 *
 *     FLORIN_DATABASE_OWNER_URL=… FLORIN_API_KEY_PEPPER=… node gateway-edge/src/provision.ts "Corner shop" test
 */
import { randomBytes } from "node:crypto";
import { assert, idToHex, makeId } from "@florin/kernel";
import { readSecretVariable } from "@florin/runtime/config";
import { connectPostgres, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import { keyHash } from "./app/key-hash.ts";
import { type KeyMode, keyRandomBytes, makeSecretKey } from "./domain/api-key.ts";

const pepperHex = /^[0-9a-f]{64}$/i;

/** A merchant with one key of `mode`. `pepper` is FLORIN_API_KEY_PEPPER, 32 bytes in hex. Every call makes another merchant. */
export async function provisionMerchant(o: {
  ownerUrl: string;
  pepper: string;
  name: string;
  mode: KeyMode;
}): Promise<{ merchantId: string; secretKey: string }> {
  assert(pepperHex.test(o.pepper), "the pepper is 32 bytes in hex");
  const merchantId = makeId("merchant", Date.now(), randomBytes(10));
  const { keyId, secretKey } = makeSecretKey(o.mode, randomBytes(keyRandomBytes));
  const hashed = keyHash(Buffer.from(o.pepper, "hex"), secretKey);
  await withDatabase(o.ownerUrl, async (sql) => {
    await sql`INSERT INTO merchants (merchant_id, name) VALUES (${idToHex(merchantId)}::uuid, ${o.name})`;
    await sql`INSERT INTO api_keys (key_id, merchant_id, mode, key_hash)
      VALUES (${keyId}, ${idToHex(merchantId)}::uuid, ${o.mode}, ${hashed})`;
  });
  return { merchantId, secretKey };
}

/** Revokes the key of this public part; safe to repeat. Edges notice within FLORIN_API_KEY_TTL_MS. */
export async function revokeApiKey(o: { ownerUrl: string; keyId: string }): Promise<void> {
  await withDatabase(o.ownerUrl, async (sql) => {
    // Index: api_keys_pkey (key_id).
    await sql`UPDATE api_keys SET revoked_at = now() WHERE key_id = ${o.keyId} AND revoked_at IS NULL`;
  });
}

/** One transaction: a merchant without its key would be of no use. */
async function withDatabase(url: string, work: (sql: Sql) => Promise<void>): Promise<void> {
  const sql = connectPostgres({ url, name: "florin-edge-provision", connectionsMax: 1 });
  try {
    await sql.begin((transaction) => work(transaction as unknown as Sql));
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

if (import.meta.main) {
  const ownerUrl = readSecretVariable(process.env, "FLORIN_DATABASE_OWNER_URL") ?? "";
  const pepper = readSecretVariable(process.env, "FLORIN_API_KEY_PEPPER") ?? "";
  const [name = "", mode = "test"] = process.argv.slice(2);
  if (ownerUrl === "" || !pepperHex.test(pepper) || name === "" || (mode !== "test" && mode !== "live")) {
    process.stderr.write(
      "usage: FLORIN_DATABASE_OWNER_URL=… FLORIN_API_KEY_PEPPER=<64 hex> node gateway-edge/src/provision.ts <name> [test|live]\n",
    );
    process.exitCode = 1;
  } else process.stdout.write(`${JSON.stringify(await provisionMerchant({ ownerUrl, pepper, name, mode }))}\n`);
}
