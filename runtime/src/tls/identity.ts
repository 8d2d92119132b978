/**
 * Who the other side is: the name in its certificate's URI `spiffe://florin/<name>`, which must equal the common name.
 *
 * Read only from certificates that TLS has verified against our CA. Not here: what that name may call (rpc/policy.ts).
 */
import type { PeerCertificate } from "node:tls";

export const spiffeIdPrefix = "spiffe://florin/";

const nameShape = /^[a-z][a-z0-9-]{0,62}$/;

/** The peer's name, or undefined when the certificate does not name exactly one. */
export function peerIdentityOf(certificate: Pick<PeerCertificate, "subject" | "subjectaltname"> | undefined): string | undefined {
  const alternatives = certificate?.subjectaltname;
  // Node puts entries with special characters in quotes; a quoted entry could imitate a separator, so none is accepted (CVE-2021-44532).
  if (certificate === undefined || alternatives === undefined || alternatives.includes('"')) return undefined;
  const names = alternatives
    .split(", ")
    .filter((entry) => entry.startsWith(`URI:${spiffeIdPrefix}`))
    .map((entry) => entry.slice(`URI:${spiffeIdPrefix}`.length));
  const [name] = names;
  if (names.length !== 1 || name === undefined || !nameShape.test(name)) return undefined;
  return certificate.subject?.CN === name ? name : undefined;
}
