export { peerIdentityOf, spiffeIdPrefix } from "./identity.ts";
export { loadTls, type MutualTls, type TlsSetting } from "./load-tls.ts";
export { makeCertificates } from "./make-certificates.ts";
export { type CertificateCheck, createCertificateCheck } from "./revocation.ts";
export { sandboxTlsProblem } from "./sandbox-authority.ts";
export { contextOf, tlsVersionMin } from "./secure-context.ts";
export { watchTls } from "./watch-tls.ts";
