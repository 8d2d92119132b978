/** The test merchant of a sandbox and its two keys, made at the first start and kept in `secrets.json`. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rootFolder } from "../root-folder.ts";
import type { DatabaseUrls } from "./databases.ts";
import { type StackSecrets, saveSecrets } from "./secrets.ts";

export type Merchant = NonNullable<StackSecrets["merchant"]>;

type MerchantOptions = { readonly ownerUrl: string; readonly pepper: string; readonly name: string; readonly mode: "test" };
type EdgeProvision = { provisionMerchant: (o: MerchantOptions) => Promise<{ merchantId: string; secretKey: string }> };
type KeyOptions = { readonly ownerUrl: string; readonly pepper: string; readonly merchantId: string; readonly mode: "test" };
type VaultProvision = { provisionPublishableKey: (o: KeyOptions) => Promise<{ publishableKey: string }> };

export async function provisionOnce(directory: string, secrets: StackSecrets, databases: DatabaseUrls): Promise<Merchant> {
  if (secrets.merchant !== undefined) return secrets.merchant;
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
  saveSecrets(directory, { ...secrets, merchant });
  return merchant;
}

function load(workspace: string): Promise<unknown> {
  return import(pathToFileURL(join(rootFolder, workspace, "src", "provision.ts")).href);
}
