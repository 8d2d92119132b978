/** The vault over RPC: check, translate, call, translate back, one span per call. Who may call is decided before (policy.ts). */
import { VaultService } from "@florin/gen/vault/v1/vault";
import { errorCatalogue, invalid, isId, toAppError } from "@florin/kernel";
import { type CallContext, implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { SpanAttributes, Tracer } from "@florin/runtime/telemetry";
import type { CardDesk } from "../app/card-desk.ts";
import { limits } from "../domain/limits.ts";

const purposePattern = new RegExp(`^[a-z_]{1,${limits.purposeLengthMax}}$`);

export function createVaultService(desk: CardDesk, tracer: Pick<Tracer, "startSpan">): ServiceImplementation {
  /** `attributes` say what was asked for, checked; they are read only when the span is recorded. */
  const during = async <T extends { readonly found: boolean }>(
    name: "describe" | "detokenize",
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
        const card = await desk.describe(merchantId, token, live);
        return card === undefined ? { found: false } : { found: true, ...card };
      }),
    detokenize: ({ merchantId, token, purpose, paymentId }, context) => {
      const open = async () => {
        checkId("merchant", merchantId, "merchant_id");
        checkId("payment", paymentId, "payment_id");
        if (!purposePattern.test(purpose)) throw invalid("parameter_invalid", "purpose is a word in lower case", "purpose");
        const card = await desk.open({ merchantId, token, purpose, paymentId, caller: context.peer });
        return card === undefined ? { found: false } : { found: true, ...card };
      };
      return during("detokenize", context, open, () => ({ "florin.purpose": purpose, "florin.payment_id": paymentId }));
    },
  });
}

function checkId(kind: "merchant" | "payment", value: string, param: string): void {
  if (!isId(kind, value)) throw invalid("parameter_invalid", `${param} is not an id of its kind`, param);
}
