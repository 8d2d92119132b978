/** What a merchant may do with its tokens, by its secret key. Making them is not here: cards go from the payer to the vault. */
import type { DeleteTokenResponse, GetTokenResponse, TokenSwitch } from "../clients/token-switch.ts";
import type { Asking, MerchantCall } from "./asking.ts";

export interface Tokens {
  get(call: MerchantCall, token: string): Promise<GetTokenResponse>;
  delete(call: MerchantCall, token: string): Promise<DeleteTokenResponse>;
}

export function createTokens(o: { readonly tokenSwitch: TokenSwitch; readonly asking: Asking; readonly readTimeoutMs: number }): Tokens {
  const { tokenSwitch, readTimeoutMs } = o;
  const { ask } = o.asking;
  return {
    get: (call, token) =>
      ask({ name: "getToken", call, timeoutMs: readTimeoutMs, send: (options) => tokenSwitch.get(call, token, options) }),
    delete: (call, token) =>
      ask({ name: "deleteToken", call, timeoutMs: readTimeoutMs, send: (options) => tokenSwitch.delete(call, token, options) }),
  };
}
