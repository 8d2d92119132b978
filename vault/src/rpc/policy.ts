/** Who may ask what. The switch learns what a token is, and deletes it for its merchant; only connectors, inside the card data environment, see a card. */
import type { CallerPolicy } from "@florin/runtime/rpc";

export const callerPolicy: CallerPolicy = {
  switch: ["florin.vault.v1.VaultService/DescribeToken", "florin.vault.v1.VaultService/DeleteToken"],
  connectors: ["florin.vault.v1.VaultService/DescribeToken", "florin.vault.v1.VaultService/Detokenize"],
};
