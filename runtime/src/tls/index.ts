export { peerIdentityOf, spiffeIdPrefix } from "./identity.ts";
export { loadTls, type TlsSetting } from "./load-tls.ts";
export { makeCertificates } from "./make-certificates.ts";
export { sandboxTlsProblem } from "./sandbox-authority.ts";
