/** The vault as a real RPC server that describes a few tokens and opens none. */
import { VaultService } from "@florin/gen/vault/v1/vault";
import { AppError } from "@florin/kernel";
import { implement, type RpcServer, startRpcServer } from "@florin/runtime/rpc";
import type { Logger } from "@florin/runtime/telemetry";
import type { TlsSetting } from "@florin/runtime/tls";

export type Vault = { readonly server: RpcServer; isAway: boolean; isHung: boolean; readonly fingerprints: Map<string, string> };

export async function startVault(o: { tls: TlsSetting; logger: Logger }): Promise<Vault> {
  const fingerprints = new Map([
    ["tok_visa_4242", "f".repeat(32)],
    ["tok_other", "e".repeat(32)],
  ]);
  const service = implement(VaultService, {
    async describeToken({ token }) {
      if (vault.isAway) throw new AppError("unavailable", "the vault is away", { work: "not_done" });
      if (vault.isHung) await new Promise(() => {});
      const fingerprint = fingerprints.get(token);
      if (fingerprint === undefined) return { found: false };
      return { found: true, brand: "visa", bin: "424242", last4: "4242", expMonth: 12, expYear: 2035, funding: "credit", fingerprint };
    },
    async detokenize() {
      throw new AppError("caller_not_allowed", "not here", { work: "not_done" });
    },
  });
  const server = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    tls: o.tls,
    services: [service],
    policy: { switch: ["florin.vault.v1.VaultService/DescribeToken"] },
    allowInsecure: true,
    logger: o.logger,
  });
  const vault: Vault = { server, isAway: false, isHung: false, fingerprints };
  return vault;
}
