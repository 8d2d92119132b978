/** How certificates of a sandbox are told from an operator's own: by the name of their CA, whose key lies beside them. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const sandboxAuthorityName = "Florin sandbox CA";

/** Why production must not use this TLS setting; undefined when it may, or when the folder cannot be read, which loading it says better. */
export function sandboxTlsProblem(directoryOrOff: string): string | undefined {
  if (directoryOrOff === "off") return 'is "off", so mutual TLS is off';
  let text: string;
  try {
    text = readFileSync(join(directoryOrOff, "ca.pem"), "utf8");
  } catch {
    return undefined;
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const isSandbox = blocks.some((block) => new X509Certificate(block).subject.split("\n").includes(`CN=${sandboxAuthorityName}`));
  return isSandbox ? "holds certificates of a sandbox" : undefined;
}
