/** One frame stream to the switch for everything that the edge asks of it. */
import { PaymentService } from "@florin/gen/payments/v1/payments";
import { TokenService } from "@florin/gen/payments/v1/tokens";
import { EdgeSettingsService } from "@florin/gen/settings/v1/settings";
import { type FramedConnection, openFrameLink } from "@florin/runtime/rpc";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import type { TlsSetting } from "@florin/runtime/tls";
import type { AskLimits } from "../app/live-limits.ts";
import { createEdgeSettings } from "./edge-settings.ts";
import { createPaymentSwitch, type PaymentSwitch } from "./payment-switch.ts";
import { createTokenSwitch, type TokenSwitch } from "./token-switch.ts";

/** Connects in the background; until then, and while the switch is away, calls are answered `unavailable`, not_done. */
export function connectSwitch(o: { address: string; tls: TlsSetting; commandsInFlightMax: number; metrics?: Metrics; logger: Logger }): {
  readonly payments: PaymentSwitch;
  readonly tokens: TokenSwitch;
  readonly limits: AskLimits;
  readonly connection: FramedConnection;
} {
  const { client, ...connection } = openFrameLink({ ...o, peerName: "switch" });
  return {
    payments: createPaymentSwitch(client(PaymentService)),
    tokens: createTokenSwitch(client(TokenService)),
    limits: createEdgeSettings(client(EdgeSettingsService)),
    connection,
  };
}
