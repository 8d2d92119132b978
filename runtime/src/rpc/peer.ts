/** The identity behind a call, from the certificate that TLS verified. */
import { AppError } from "@florin/kernel";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import { peerIdentityOf } from "../tls/index.ts";
import { insecurePeer } from "./caller-policy.ts";

type SurfaceCall = Pick<ServerUnaryCall<Buffer, Buffer>, "getAuthContext">;

/** Throws AppError caller_not_allowed (not_done) when the certificate names nobody. `isInsecure`: the server runs without TLS. */
export function peerOf(call: SurfaceCall, isInsecure: boolean): string {
  if (isInsecure) return insecurePeer;
  const peer = peerIdentityOf(call.getAuthContext().sslPeerCertificate);
  if (peer === undefined) throw new AppError("caller_not_allowed", "the certificate names no Florin process", { work: "not_done" });
  return peer;
}
