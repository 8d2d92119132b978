/** The identity behind a call, from the certificate that TLS verified. */
import { AppError } from "@florin/kernel";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import { type CertificateCheck, peerIdentityOf } from "../tls/index.ts";
import { insecurePeer } from "./caller-policy.ts";

type SurfaceCall = Pick<ServerUnaryCall<Buffer, Buffer>, "getAuthContext">;

/**
 * Throws AppError caller_not_allowed (not_done) when the certificate names nobody, or was revoked or has expired since the connection was made.
 * `isInsecure`: the server runs without TLS.
 */
export function peerOf(call: SurfaceCall, isInsecure: boolean, check: CertificateCheck): string {
  if (isInsecure) return insecurePeer;
  const certificate = call.getAuthContext().sslPeerCertificate;
  const peer = peerIdentityOf(certificate);
  if (peer === undefined || certificate === undefined)
    throw new AppError("caller_not_allowed", "the certificate names no Florin process", { work: "not_done" });
  const fault = check(certificate, Date.now());
  if (fault !== undefined) throw new AppError("caller_not_allowed", `the certificate of ${peer} is ${fault}`, { work: "not_done" });
  return peer;
}
