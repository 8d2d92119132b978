/** TokenService: what a merchant may know of its tokens, and their deletion. Nothing is decided here: the vault knows, and the switch passes on whose they are. */
import type { Caller } from "@florin/gen/payments/v1/payments";
import { type DeleteTokenRequest, type GetTokenRequest, TokenService } from "@florin/gen/payments/v1/tokens";
import type { ErrorCode } from "@florin/kernel";
import { createCallBudget } from "@florin/runtime/resilience";
import { type CallContext, implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { Parts } from "../app/parts.ts";
import type { Bulkheads } from "./bulkheads.ts";
import { callerOf, checkFilled, limits } from "./validate.ts";

export function createTokenService({ vault, timing }: Pick<Parts, "vault" | "timing">, bulkheads: Bulkheads): ServiceImplementation {
  const within = <T>({ caller }: { readonly caller?: Caller | undefined }, run: () => Promise<T>): Promise<T> =>
    bulkheads.within("read", caller?.merchantId ?? "", run);
  const budgetOf = ({ deadlineAtMs }: CallContext) =>
    createCallBudget({ timeoutMs: deadlineAtMs - Date.now(), settings: budgetSettings, monotonicMs: timing.monotonicMs });
  const checkToken = (token: string): string => checkFilled(token, "token", limits.tokenLengthMax);
  return implement(TokenService, {
    getToken: (request, context) => within(request, () => getToken(request, context)),
    deleteToken: (request, context) => within(request, () => deleteToken(request, context)),
  });

  async function getToken(request: GetTokenRequest, context: CallContext) {
    const { traceparent } = context;
    const { merchantId, mode } = callerOf(request.caller, traceparent);
    const token = checkToken(request.token);
    const description = await vault.describeNow({ merchantId, mode, token, traceparent, budget: budgetOf(context) });
    if (description?.kind !== "usable") return { refusal: endings[description?.kind ?? "unknown"] };
    const { card, fingerprint, usage, usedBy, createdAtMs, expiresAtMs } = description;
    const times = { createdAtMs: BigInt(createdAtMs), expiresAtMs: BigInt(expiresAtMs) };
    return { token: { id: token, card, fingerprint, usage, usedByPaymentId: usedBy, ...times } };
  }

  async function deleteToken(request: DeleteTokenRequest, context: CallContext) {
    const { traceparent } = context;
    const { merchantId, mode, origin } = callerOf(request.caller, traceparent);
    const token = checkToken(request.token);
    return { found: await vault.delete({ merchantId, mode, token, traceparent, budget: budgetOf(context), actor: origin.actor }) };
  }
}

/** Of a caller's time, kept for the way back; a vault that would have less than the least is not asked. */
const budgetSettings = { marginMs: 100, askMsMin: 50 } as const;

const endings = {
  unknown: "token_not_found",
  expired: "token_expired",
  deleted: "token_deleted",
} as const satisfies Record<string, ErrorCode>;
