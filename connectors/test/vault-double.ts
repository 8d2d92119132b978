/** A vault for tests and benches: a real RPC server of VaultService that opens a few test tokens. */
import { VaultService } from "@florin/gen/vault/v1/vault";
import { AppError } from "@florin/kernel";
import { implement, type RpcServer, startRpcServer } from "@florin/runtime/rpc";
import type { Logger } from "@florin/runtime/telemetry";
import type { TlsSetting } from "@florin/runtime/tls";
import { cardNumbers } from "./cards.ts";

export const testTokens: Readonly<Record<string, string>> = {
  tok_visa_4242: cardNumbers.approved,
  tok_visa_9995: cardNumbers.insufficient_funds,
  tok_visa_5126: cardNumbers.refund_fails,
};

export function startVaultDouble(o: { tls: TlsSetting; logger: Logger; port?: number; fails?: () => boolean }): Promise<RpcServer> {
  const service = implement(VaultService, {
    async describeToken() {
      return { found: false };
    },
    async detokenize({ token }) {
      if (o.fails?.() === true) throw new AppError("unavailable", "the store is away", { work: "not_done" });
      const number = testTokens[token];
      if (number === undefined) return { found: false };
      return { found: true, number: Buffer.from(number), expMonth: 12, expYear: 2035, securityCode: Buffer.from("123") };
    },
  });
  return startRpcServer({
    host: "127.0.0.1",
    port: o.port ?? 0,
    tls: o.tls,
    services: [service],
    policy: { connectors: ["florin.vault.v1.VaultService/Detokenize"] },
    allowInsecure: true,
    logger: o.logger,
  });
}
