/** TlsSetting → grpc-js credentials: TLS 1.3 only, both sides show a certificate of our CA. */
import { checkServerIdentity, createSecureContext, type PeerCertificate } from "node:tls";
import { ChannelCredentials, type experimental, ServerCredentials, type VerifyOptions } from "@grpc/grpc-js";
import { contextOf, type MutualTls, peerIdentityOf, type TlsSetting, tlsVersionMin } from "../tls/index.ts";

type SecureConnector = experimental.SecureConnector;

/** grpc-js's own `createSsl` cannot set the TLS version; its base class can be given Node's options, and others later. */
class MutualTlsServerCredentials extends ServerCredentials {
  /** New connections get the setting's newest values; those that stand keep theirs. */
  follow(tls: MutualTls): void {
    tls.onChange?.(() => this.updateSecureContextOptions(contextOf(tls)));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

export function serverCredentials(
  tls: TlsSetting,
  http2: { readonly initialWindowSize: number; readonly maxConcurrentStreams: number },
): ServerCredentials {
  if (tls.kind === "off") return ServerCredentials.createInsecure();
  const ours = new MutualTlsServerCredentials(
    { requestCert: true, rejectUnauthorized: true, minVersion: tlsVersionMin, settings: http2 },
    contextOf(tls),
  );
  ours.follow(tls);
  return ours;
}

/** Each connection is made with the newest certificates: grpc-js would keep those of the channel's beginning. */
class NewestChannelCredentials extends ChannelCredentials {
  readonly #newest: () => ChannelCredentials;

  constructor(newest: () => ChannelCredentials) {
    super();
    this.#newest = newest;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(...words: Parameters<ChannelCredentials["_createSecureConnector"]>): SecureConnector {
    const first = this.#newest()._createSecureConnector(...words);
    return {
      connect: (socket) =>
        this.#newest()
          ._createSecureConnector(...words)
          .connect(socket),
      waitForReady: () => first.waitForReady(),
      getCallCredentials: () => first.getCallCredentials(),
      destroy: () => first.destroy(),
    };
  }
}

/**
 * `host` is what the server's certificate must be for. `peerName` is the identity that it must carry; undefined accepts any server of
 * our CA, which every process of ours could pose as: name the peer.
 */
export function channelCredentials(tls: TlsSetting, host: string, peerName: string | undefined): ChannelCredentials {
  if (tls.kind === "off") return ChannelCredentials.createInsecure();
  const identity: VerifyOptions = {
    // The first argument is the SNI name, which is not the host when the address is an IP (transport-options.ts).
    checkServerIdentity: (_sniName, certificate) => {
      const fault = checkServerIdentity(host, certificate as PeerCertificate);
      if (fault !== undefined) return fault;
      if (peerName === undefined || peerIdentityOf(certificate as PeerCertificate) === peerName) return undefined;
      return new Error(`the server is not ${peerName}`);
    },
  };
  return new NewestChannelCredentials(() => ChannelCredentials.createFromSecureContext(createSecureContext(contextOf(tls)), identity));
}
