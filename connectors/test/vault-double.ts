/** A vault for tests and benches: a real RPC server of VaultService that opens a few test tokens. */
import { TokenState, VaultService } from "@florin/gen/vault/v1/vault";
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

/** Tokens that there were. */
export const closedTokens: Readonly<Record<string, TokenState>> = {
  tok_used: TokenState.USED,
  tok_expired: TokenState.EXPIRED,
  tok_deleted: TokenState.DELETED,
};

export function startVaultDouble(o: { tls: TlsSetting; logger: Logger; port?: number; fails?: () => boolean }): Promise<RpcServer> {
  const service = implement(VaultService, {
    async describeToken() {
      return { found: false };
    },
    async deleteToken() {
      throw new AppError("caller_not_allowed", "not here", { work: "not_done" });
    },
    async detokenize({ token }) {
      if (o.fails?.() === true) throw new AppError("unavailable", "the store is away", { work: "not_done" });
      const number = testTokens[token];
      const state = closedTokens[token];
      if (number === undefined) return { found: false, ...(state === undefined ? {} : { state }) };
      return {
        found: true,
        number: Buffer.from(number),
        state: TokenState.ACTIVE,
        expMonth: 12,
        expYear: 2035,
        securityCode: Buffer.from("123"),
      };
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
