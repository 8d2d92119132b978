/**
 * A process's own TLS setting: the CA, its certificate and its key from a folder, or the word `off`.
 *
 * `off` exists for benches; whoever starts a server with it must say `allowInsecure`, and production refuses it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export type TlsSetting =
  | { readonly kind: "off" }
  | { readonly kind: "mutual"; readonly ca: Buffer; readonly certificate: Buffer; readonly key: Buffer; readonly name: string };

/** Reads `ca.pem`, `<name>.pem` and `<name>-key.pem`. Throws an Error that names the missing file. */
export function loadTls(directoryOrOff: string, name: string): TlsSetting {
  if (directoryOrOff === "off") return { kind: "off" };
  const read = (file: string) => readFileSync(join(directoryOrOff, file));
  return { kind: "mutual", ca: read("ca.pem"), certificate: read(`${name}.pem`), key: read(`${name}-key.pem`), name };
}
