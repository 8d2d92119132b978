/**
 * Who may call what: a table from the certificate's identity to methods, checked once per unary call and once per stream and method.
 *
 * Closed by default: an identity or method that is not in the table is refused. With TLS off every caller is `insecure` and is allowed,
 * because `startRpcServer` refuses to run that way unless it was asked to (benches).
 */
import { AppError } from "@florin/kernel";

/** Identity → "florin.vault.v1.VaultService/Detokenize" or "florin.vault.v1.VaultService/*". */
export type CallerPolicy = Readonly<Record<string, readonly string[]>>;

/** The identity of every caller of a server without TLS. No certificate can carry it: the policy never lists it. */
export const insecurePeer = "insecure";

export type PolicyCheck = (peer: string, method: string) => AppError | undefined;

/** `isInsecure`: the server runs without TLS. */
export function createPolicyCheck(policy: CallerPolicy, isInsecure: boolean): PolicyCheck {
  const allowed = new Map(Object.entries(policy).map(([peer, methods]) => [peer, new Set(methods)]));
  return (peer, method) => {
    if (isInsecure) return undefined;
    const methods = allowed.get(peer);
    const service = method.slice(0, method.indexOf("/"));
    if (methods?.has(method) === true || methods?.has(`${service}/*`) === true) return undefined;
    return new AppError("caller_not_allowed", `${peer} may not call ${method}`, { work: "not_done" });
  };
}
