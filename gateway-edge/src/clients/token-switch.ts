/** Tokens at the switch, which asks the vault: what one is, and its deletion. */
import type { DeleteTokenResponse, GetTokenResponse, TokenService } from "@florin/gen/payments/v1/tokens";
import type { CallOptions, Client } from "@florin/runtime/rpc";
import { type CallIdentity, callerOf } from "./payment-switch.ts";

export type { DeleteTokenResponse, GetTokenResponse };

export interface TokenSwitch {
  get(identity: CallIdentity, token: string, options: CallOptions): Promise<GetTokenResponse>;
  delete(identity: CallIdentity, token: string, options: CallOptions): Promise<DeleteTokenResponse>;
}

export function createTokenSwitch(client: Client<typeof TokenService>): TokenSwitch {
  return {
    get: (identity, token, options) => client.getToken({ token, caller: callerOf(identity) }, options),
    delete: (identity, token, options) => client.deleteToken({ token, caller: callerOf(identity) }, options),
  };
}
