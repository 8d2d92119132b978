/** The test merchant of a sandbox and its two keys, made at the first start on a database and kept in `secrets.json`. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { idToHex } from "@florin/kernel";
import { connectPostgres } from "@florin/runtime/postgres";
import { rootFolder } from "../root-folder.ts";
import type { DatabaseUrls } from "./databases.ts";
import { type Merchant, type StackSecrets, saveSecrets } from "./secrets.ts";

type MerchantOptions = { readonly ownerUrl: string; readonly pepper: string; readonly name: string; readonly mode: "test" };
type EdgeProvision = { provisionMerchant: (o: MerchantOptions) => Promise<{ merchantId: string; secretKey: string }> };
type KeyOptions = { readonly ownerUrl: string; readonly pepper: string; readonly merchantId: string; readonly mode: "test" };
type VaultProvision = { provisionPublishableKey: (o: KeyOptions) => Promise<{ publishableKey: string }> };

/** The merchant whose keys we have and that this database knows; a new one when there is none. */
export async function provisionOnce(directory: string, secrets: StackSecrets, databases: DatabaseUrls): Promise<Merchant> {
  const known = await findKnown(secrets.merchants, databases.florin_edge.ownerUrl);
  if (known !== undefined) return known;
  const edge = (await load("gateway-edge")) as EdgeProvision;
  const vault = (await load("vault")) as VaultProvision;
  const common = { pepper: secrets.apiKeyPepper, mode: "test" } as const;
  const { merchantId, secretKey } = await edge.provisionMerchant({
    ...common,
    ownerUrl: databases.florin_edge.ownerUrl,
    name: "Test merchant",
  });
  const { publishableKey } = await vault.provisionPublishableKey({ ...common, ownerUrl: databases.florin_vault.ownerUrl, merchantId });
  const merchant = { id: merchantId, secretKey, publishableKey };
  saveSecrets(directory, { ...secrets, merchants: [...secrets.merchants, merchant] });
  return merchant;
}

/** A stack may move between its own PostgreSQL and one of DATABASE_URL, and back. */
async function findKnown(merchants: readonly Merchant[], ownerUrl: string): Promise<Merchant | undefined> {
  const sql = connectPostgres({ url: ownerUrl, name: "florin-up", connectionsMax: 1 });
  try {
    for (const merchant of merchants) {
      // Index: merchants_pkey (merchant_id).
      const [row] = await sql`SELECT 1 FROM merchants WHERE merchant_id = ${idToHex(merchant.id)}::uuid`;
      if (row !== undefined) return merchant;
    }
    return undefined;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function load(workspace: string): Promise<unknown> {
  return import(pathToFileURL(join(rootFolder, workspace, "src", "provision.ts")).href);
}
