/** TokenService: what a merchant may know of its tokens, and their deletion. Nothing is decided here: the vault knows, and the switch passes on whose they are. */
import { TokenService } from "@florin/gen/payments/v1/tokens";
import type { ErrorCode } from "@florin/kernel";
import { implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { Parts } from "../app/parts.ts";
import { callerOf, checkFilled, limits } from "./validate.ts";

export function createTokenService({ vault }: Pick<Parts, "vault">): ServiceImplementation {
  const checkToken = (token: string): string => checkFilled(token, "token", limits.tokenLengthMax);
  return implement(TokenService, {
    async getToken(request, { traceparent }) {
      const { merchantId, mode } = callerOf(request.caller, traceparent);
      const token = checkToken(request.token);
      const description = await vault.describeNow({ merchantId, mode, token, traceparent });
      if (description?.kind !== "usable") return { refusal: endings[description?.kind ?? "unknown"] };
      const { card, fingerprint, usage, usedBy, createdAtMs, expiresAtMs } = description;
      const times = { createdAtMs: BigInt(createdAtMs), expiresAtMs: BigInt(expiresAtMs) };
      return { token: { id: token, card, fingerprint, usage, usedByPaymentId: usedBy, ...times } };
    },
    async deleteToken(request, { traceparent }) {
      const { merchantId, mode, origin } = callerOf(request.caller, traceparent);
      const token = checkToken(request.token);
      return { found: await vault.delete({ merchantId, mode, token, traceparent, actor: origin.actor }) };
    },
  });
}

const endings = {
  unknown: "token_not_found",
  expired: "token_expired",
  deleted: "token_deleted",
} as const satisfies Record<string, ErrorCode>;
