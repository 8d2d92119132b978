/** A grpc-js channel to one address. */
import { isIP } from "node:net";
import { assert } from "@florin/kernel";
import { type ChannelOptions, Client } from "@grpc/grpc-js";
import type { TlsSetting } from "../tls/index.ts";
import { sparePingsOfClosingSessions } from "./closing-sessions.ts";
import { channelCredentials } from "./credentials.ts";
import { channelOptions } from "./transport-options.ts";

export type ChannelTarget = {
  readonly address: string;
  readonly tls: TlsSetting;
  readonly peerName?: string;
};

export function openChannel(o: ChannelTarget, options: ChannelOptions = {}): Client {
  sparePingsOfClosingSessions();
  const colon = o.address.lastIndexOf(":");
  assert(colon > 0, `${o.address} is host:port`);
  const host = o.address.slice(0, colon).replace(/^\[|\]$/g, "");
  // SNI carries names only (RFC 6066 §3); the certificate is still checked against the host itself.
  const sni: ChannelOptions = isIP(host) === 0 || o.tls.kind === "off" ? {} : { "grpc.ssl_target_name_override": "localhost" };
  return new Client(o.address, channelCredentials(o.tls, host, o.peerName), { ...channelOptions, ...sni, ...options });
}
