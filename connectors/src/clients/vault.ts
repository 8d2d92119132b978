/**
 * Opens cards: a token goes to the vault, the card comes back in bytes.
 *
 * Nothing has been sent to a processor while this runs, so every failure here is "surely never left".
 */
import { TokenState, type VaultService } from "@florin/gen/vault/v1/vault";
import { assert, Secret } from "@florin/kernel";
import type { Client } from "@florin/runtime/rpc";
import type { Logger } from "@florin/runtime/telemetry";
import type { Card, ConnectorCall, EncryptedPin } from "../contract/connector.ts";
import type { NotSentCause } from "../contract/outcome.ts";
import { wipeCard } from "../contract/wipe-card.ts";

export type OpenedCard =
  | { readonly kind: "opened"; readonly card: Card; readonly wipe: () => void }
  | { readonly kind: "closed"; readonly cause: NotSentCause };

export type OpenCardRequest = { readonly merchantId: string; readonly paymentId: string; readonly token: string };
/** Never rejects. Whoever opens a card wipes it when the call has ended. */
export type OpenCard = (request: OpenCardRequest, call: ConnectorCall) => Promise<OpenedCard>;

export function createCardOpener(o: { client: Client<typeof VaultService>; timeoutMs: number; logger: Logger }): OpenCard {
  return async ({ merchantId, paymentId, token }, call) => {
    const timeoutMs = Math.min(o.timeoutMs, call.deadlineAtMs - Date.now());
    try {
      const answer = await o.client.detokenize(
        { merchantId, token, purpose: "authorize", paymentId },
        { timeoutMs, traceparent: call.traceparent },
      );
      if (!answer.found) return { kind: "closed", cause: causes[answer.state] ?? "vault_unavailable" };
      return opened(answer);
    } catch (err) {
      o.logger.warn({ err, payment_id: paymentId }, "the vault could not open a card");
      return { kind: "closed", cause: "vault_unavailable" };
    }
  };
}

/** Why a card stays closed. One that is active has no reason to, and a newer vault may have reasons that this release has no word for. */
const causes: Readonly<Record<number, NotSentCause>> = {
  [TokenState.UNSPECIFIED]: "token_not_found",
  [TokenState.ACTIVE]: "vault_unavailable",
  [TokenState.USED]: "token_already_used",
  [TokenState.EXPIRED]: "token_expired",
  [TokenState.DELETED]: "token_deleted",
};

const pinBlockBytes = 8;

type Answer = {
  readonly number: Uint8Array;
  readonly expMonth: number;
  readonly expYear: number;
  readonly securityCode: Uint8Array;
  readonly pinBlock: Uint8Array;
  readonly pinKeySerialNumber: Uint8Array;
  readonly postalCode: string;
  readonly addressLine1: string;
};

function opened(answer: Answer): OpenedCard {
  assert(answer.number.length >= 12 && answer.number.length <= 19 && areDigits(answer.number), "a card number is 12 to 19 digits");
  assert(answer.securityCode.length <= 4 && areDigits(answer.securityCode), "a security code is at most 4 digits");
  assert([0, pinBlockBytes].includes(answer.pinBlock.length), "a PIN block has eight bytes");
  const number = new Secret(answer.number, "[card number]");
  const securityCode = answer.securityCode.length === 0 ? undefined : new Secret(answer.securityCode, "[security code]");
  const pin = pinIn(answer);
  const { expMonth, expYear, postalCode, addressLine1 } = answer;
  const card = { number, expMonth, expYear, securityCode, pin, postalCode, addressLine1 };
  return { kind: "opened", card, wipe: () => wipeCard(card) };
}

function pinIn({ pinBlock, pinKeySerialNumber }: Answer): EncryptedPin | undefined {
  if (pinBlock.length === 0) return undefined;
  return { block: new Secret(pinBlock, "[PIN block]"), keySerialNumber: Buffer.from(pinKeySerialNumber).toString("hex").toUpperCase() };
}

function areDigits(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte < 0x30 || byte > 0x39) return false;
  return true;
}
