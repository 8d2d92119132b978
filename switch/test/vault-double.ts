/** The vault as a real RPC server that describes a few tokens and opens none. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type DescribeTokenResponseSchema, TokenState, VaultService } from "@florin/gen/vault/v1/vault";
import { AppError } from "@florin/kernel";
import { implement, type RpcServer, startRpcServer } from "@florin/runtime/rpc";
import type { Logger } from "@florin/runtime/telemetry";
import type { TlsSetting } from "@florin/runtime/tls";

export type Vault = {
  readonly server: RpcServer;
  isAway: boolean;
  isHung: boolean;
  readonly fingerprints: Map<string, string>;
  /** What is told of a token besides. */
  readonly lives: Map<string, MessageInitShape<typeof DescribeTokenResponseSchema>>;
};

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
      const card = { brand: "visa", bin: "424242", last4: "4242", expMonth: 12, expYear: 2035, funding: "credit", fingerprint };
      return {
        found: true,
        ...card,
        state: TokenState.ACTIVE,
        usage: "reusable",
        expiresAtMs: 4_102_444_800_000n,
        ...vault.lives.get(token),
      };
    },
    async deleteToken({ token }) {
      return { found: vault.fingerprints.delete(token) };
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
    policy: { switch: ["florin.vault.v1.VaultService/DescribeToken", "florin.vault.v1.VaultService/DeleteToken"] },
    allowInsecure: true,
    logger: o.logger,
  });
  const vault: Vault = { server, isAway: false, isHung: false, fingerprints, lives: new Map() };
  return vault;
}
