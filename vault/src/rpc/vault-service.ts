/** The vault over RPC: check, translate, call, translate back. Who may call is decided before (policy.ts). */
import { VaultService } from "@florin/gen/vault/v1/vault";
import { invalid, isId } from "@florin/kernel";
import { implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { CardDesk } from "../app/card-desk.ts";
import { limits } from "../domain/limits.ts";

const purposePattern = new RegExp(`^[a-z_]{1,${limits.purposeLengthMax}}$`);

export function createVaultService(desk: CardDesk): ServiceImplementation {
  return implement(VaultService, {
    async describeToken({ merchantId, token, live }) {
      checkId("merchant", merchantId, "merchant_id");
      const card = await desk.describe(merchantId, token, live);
      return card === undefined ? { found: false } : { found: true, ...card };
    },
    async detokenize({ merchantId, token, purpose, paymentId }, context) {
      checkId("merchant", merchantId, "merchant_id");
      checkId("payment", paymentId, "payment_id");
      if (!purposePattern.test(purpose)) throw invalid("parameter_invalid", "purpose is a word in lower case", "purpose");
      const card = await desk.open({ merchantId, token, purpose, paymentId, caller: context.peer });
      return card === undefined ? { found: false } : { found: true, ...card };
    },
  });
}

function checkId(kind: "merchant" | "payment", value: string, param: string): void {
  if (!isId(kind, value)) throw invalid("parameter_invalid", `${param} is not an id of its kind`, param);
}
