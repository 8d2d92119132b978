/** A TLS setting in the words of node:tls: TLS 1.3 only, and the lists of revoked certificates where there are some. */
import type { SecureContextOptions } from "node:tls";
import type { MutualTls } from "./load-tls.ts";
import { listsOf } from "./revocation.ts";

export const tlsVersionMin = "TLSv1.3";

export function contextOf(tls: MutualTls): SecureContextOptions {
  const crl = tls.crl === undefined ? {} : { crl: listsOf(tls.crl) };
  return { ca: tls.ca, cert: tls.certificate, key: tls.key, minVersion: tlsVersionMin, ...crl };
}
