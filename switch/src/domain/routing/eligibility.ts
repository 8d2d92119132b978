/** Whether a processor can take a payment at all: currency, network, country, amount, capabilities. All that speaks against it is said. */
import type { Exclusion } from "./decision.ts";
import { includes, type ProcessorProfile } from "./processor-profile.ts";
import type { RoutingRequest } from "./routing-request.ts";

const none: readonly Exclusion[] = [];

/** Empty: eligible. Otherwise every reason, in the order of the checks, so that a merchant sees at once all that would have to change. */
export function exclusionsOf(profile: ProcessorProfile, request: RoutingRequest): readonly Exclusion[] {
  let found: Exclusion[] | undefined;
  const say = (exclusion: Exclusion): void => {
    found ??= [];
    found.push(exclusion);
  };
  if (!includes(profile.currencies, request.currency)) say("currency_not_supported");
  if (!includes(profile.networks, request.network)) say("network_not_supported");
  if (!includes(profile.cardCountries, request.cardCountry)) say("country_not_supported");
  const range = profile.amounts.get(request.currency);
  if (range !== undefined && request.amountMinor < range.minMinor) say("amount_too_small");
  if (range !== undefined && request.amountMinor > range.maxMinor) say("amount_too_large");
  if (!request.needs.every((need) => profile.capabilities.has(need))) say("capability_missing");
  return found ?? none;
}
