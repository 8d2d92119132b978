/**
 * A process's own TLS setting: the CA, its certificate and its key from a folder, or the word `off`.
 *
 * `off` exists for benches; whoever starts a server with it must say `allowInsecure`, and production refuses it. `crl.pem` in the folder, where it
 * is there, names the certificates that are revoked; then every handshake needs a current list of each CA (RFC 5280 §6.3).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type MutualTls = {
  readonly kind: "mutual";
  readonly ca: Buffer;
  readonly certificate: Buffer;
  readonly key: Buffer;
  readonly name: string;
  /** Revoked certificates, PEM. */
  readonly crl?: Buffer | undefined;
  /** Calls back whenever the values above have become others; the result takes the call-back away. Only of a setting that is watched. */
  readonly onChange?: (listener: () => void) => () => void;
};

export type TlsSetting = { readonly kind: "off" } | MutualTls;

/** Reads `ca.pem`, `<name>.pem`, `<name>-key.pem` and, if there, `crl.pem`. Throws an Error that names the missing file. */
export function loadTls(directoryOrOff: string, name: string): TlsSetting {
  return directoryOrOff === "off" ? { kind: "off" } : readFolder(directoryOrOff, name);
}

export function readFolder(directory: string, name: string): MutualTls {
  const read = (file: string) => readFileSync(join(directory, file));
  const crl = existsSync(join(directory, "crl.pem")) ? read("crl.pem") : undefined;
  return { kind: "mutual", ca: read("ca.pem"), certificate: read(`${name}.pem`), key: read(`${name}-key.pem`), name, crl };
}

/** What decides whether the setting has to be read again. */
export function filesOf(name: string): readonly string[] {
  return ["ca.pem", `${name}.pem`, `${name}-key.pem`, "crl.pem"];
}
