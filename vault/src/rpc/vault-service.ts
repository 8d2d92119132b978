/** The vault over RPC: check, translate, call, translate back, one span per call. Who may call is decided before (policy.ts). */
import { TokenState, VaultService } from "@florin/gen/vault/v1/vault";
import { errorCatalogue, invalid, isId, toAppError } from "@florin/kernel";
import { type CallContext, implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { SpanAttributes, Tracer } from "@florin/runtime/telemetry";
import type { CardDesk, ClosedReason, TokenDescription } from "../app/card-desk.ts";
import type { TokenRemover } from "../app/delete-token.ts";
import { limits } from "../domain/limits.ts";

const actorPattern = /^(key|service):[\x21-\x7e]{1,120}$/;
const purposePattern = new RegExp(`^[a-z_]{1,${limits.purposeLengthMax}}$`);

export function createVaultService({
  desk,
  remover,
  tracer,
}: {
  desk: Pick<CardDesk, "describe" | "open">;
  remover: TokenRemover;
  tracer: Pick<Tracer, "startSpan">;
}): ServiceImplementation {
  /** `attributes` say what was asked for, checked; they are read only when the span is recorded. */
  const during = async <T extends { readonly found: boolean }>(
    name: "describe" | "detokenize" | "delete",
    context: CallContext,
    work: () => Promise<T>,
    attributes?: () => SpanAttributes,
  ): Promise<T> => {
    const span = tracer.startSpan(`vault.${name}`, { parent: context.traceparent, kind: "server" });
    try {
      const answer = await work();
      if (span.isRecording) span.end("ok", { "florin.found": answer.found, ...attributes?.() });
      return answer;
    } catch (thrown) {
      const { code } = toAppError(thrown);
      span.end(errorCatalogue[code].type === "invalid_request" ? "refused" : "fault", { "florin.error_code": code });
      throw thrown;
    }
  };
  return implement(VaultService, {
    describeToken: ({ merchantId, token, live }, context) =>
      during("describe", context, async () => {
        checkId("merchant", merchantId, "merchant_id");
        return describedAnswer(await desk.describe(merchantId, token, live));
      }),
    detokenize: ({ merchantId, token, purpose, paymentId }, context) => {
      const open = async () => {
        checkId("merchant", merchantId, "merchant_id");
        checkId("payment", paymentId, "payment_id");
        if (!purposePattern.test(purpose)) throw invalid("parameter_invalid", "purpose is a word in lower case", "purpose");
        const card = await desk.open({ merchantId, token, purpose, paymentId, caller: context.peer });
        return typeof card === "string" ? { found: false, state: closedStates[card] } : { ...card, found: true, state: TokenState.ACTIVE };
      };
      return during("detokenize", context, open, () => ({ "florin.purpose": purpose, "florin.payment_id": paymentId }));
    },
    deleteToken: ({ merchantId, token, live, actor }, context) =>
      during("delete", context, async () => {
        checkId("merchant", merchantId, "merchant_id");
        if (!actorPattern.test(actor)) throw invalid("parameter_invalid", "actor is key:… or service:…", "actor");
        return { found: await remover.remove({ merchantId, token, isLive: live, actor, caller: context.peer }) };
      }),
  });
}

const closedStates: Readonly<Record<ClosedReason, TokenState>> = {
  not_found: TokenState.UNSPECIFIED,
  already_used: TokenState.USED,
  expired: TokenState.EXPIRED,
  deleted: TokenState.DELETED,
};

function describedAnswer(description: TokenDescription | undefined) {
  if (description === undefined) return { found: false };
  if (!("card" in description)) return { found: false, state: closedStates[description.kind] };
  const { kind, card, usage, usedBy = "", createdAtMs, expiresAtMs } = description;
  const state = kind === "used" ? TokenState.USED : TokenState.ACTIVE;
  const life = { state, usage, usedByPaymentId: usedBy, createdAtMs: BigInt(createdAtMs), expiresAtMs: BigInt(expiresAtMs) };
  return { found: true, ...card, ...life };
}

function checkId(kind: "merchant" | "payment", value: string, param: string): void {
  if (!isId(kind, value)) throw invalid("parameter_invalid", `${param} is not an id of its kind`, param);
}
