/** TlsSetting → grpc-js credentials: TLS 1.3 only, both sides show a certificate of our CA. */
import { checkServerIdentity, createSecureContext, type PeerCertificate, type SecureContextOptions } from "node:tls";
import { ChannelCredentials, ServerCredentials } from "@grpc/grpc-js";
import { peerIdentityOf, type TlsSetting } from "../tls/index.ts";

const tlsVersionMin = "TLSv1.3";

/** grpc-js's own `createSsl` cannot set the TLS version; its base class can be given Node's options. */
class MutualTlsServerCredentials extends ServerCredentials {
  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

export function serverCredentials(
  tls: TlsSetting,
  http2: { readonly initialWindowSize: number; readonly maxConcurrentStreams: number },
): ServerCredentials {
  if (tls.kind === "off") return ServerCredentials.createInsecure();
  const context: SecureContextOptions = { ca: tls.ca, cert: tls.certificate, key: tls.key, minVersion: tlsVersionMin };
  return new MutualTlsServerCredentials(
    { requestCert: true, rejectUnauthorized: true, minVersion: tlsVersionMin, settings: http2 },
    context,
  );
}

/**
 * `host` is what the server's certificate must be for. `peerName` is the identity that it must carry; undefined accepts any server of
 * our CA, which every process of ours could pose as: name the peer.
 */
export function channelCredentials(tls: TlsSetting, host: string, peerName: string | undefined): ChannelCredentials {
  if (tls.kind === "off") return ChannelCredentials.createInsecure();
  const context = createSecureContext({ ca: tls.ca, cert: tls.certificate, key: tls.key, minVersion: tlsVersionMin });
  return ChannelCredentials.createFromSecureContext(context, {
    // The first argument is the SNI name, which is not the host when the address is an IP (transport-options.ts).
    checkServerIdentity: (_sniName, certificate) => {
      const fault = checkServerIdentity(host, certificate as PeerCertificate);
      if (fault !== undefined) return fault;
      if (peerName === undefined || peerIdentityOf(certificate as PeerCertificate) === peerName) return undefined;
      return new Error(`the server is not ${peerName}`);
    },
  });
}
