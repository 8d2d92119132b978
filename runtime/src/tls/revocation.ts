/**
 * Which certificates are no good any more, for connections that outlive the handshake that let them in.
 *
 * TLS itself looks at a certificate once, when a connection is made; ours live for days. The list is trusted as `ca.pem` is: TLS checks its
 * signature at every handshake.
 */
import "reflect-metadata";
import type { PeerCertificate } from "node:tls";
import { X509Crl } from "@peculiar/x509";
import type { TlsSetting } from "./load-tls.ts";

export type CertificateFacts = Pick<PeerCertificate, "serialNumber" | "valid_to">;

/**
 * The lists of a file, of several CAs perhaps: OpenSSL reads the first of a text only. Throws an Error for a file without any: it is no list of
 * nobody.
 */
export function listsOf(crl: Buffer): string[] {
  const lists = crl.toString("utf8").match(/-----BEGIN X509 CRL-----[\s\S]*?-----END X509 CRL-----/g) ?? [];
  if (lists.length === 0) throw new Error("crl.pem holds no list of revoked certificates");
  return [...lists];
}

/** Serial numbers, lower case without leading zeros. Throws an Error when a list cannot be read. */
export function readRevokedSerials(crl: Buffer | undefined): ReadonlySet<string> {
  if (crl === undefined) return new Set();
  const lists = listsOf(crl).map((list) => new X509Crl(list));
  return new Set(lists.flatMap((list) => list.entries.map(({ serialNumber }) => normalised(serialNumber))));
}

/** Says why a peer's certificate does not count any more. */
export type CertificateCheck = (certificate: CertificateFacts, nowMs: number) => "expired" | "revoked" | undefined;

/** Follows the setting's list of revoked certificates. */
export function createCertificateCheck(tls: TlsSetting): CertificateCheck {
  if (tls.kind === "off") return () => undefined;
  let revoked = readRevokedSerials(tls.crl);
  tls.onChange?.(() => {
    revoked = readRevokedSerials(tls.crl);
  });
  return (certificate, nowMs) => {
    if (revoked.size > 0 && revoked.has(normalised(certificate.serialNumber))) return "revoked";
    return Date.parse(certificate.valid_to) <= nowMs ? "expired" : undefined;
  };
}

function normalised(serialNumber: string): string {
  return serialNumber.toLowerCase().replace(/^0+/, "");
}
