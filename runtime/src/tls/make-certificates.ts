/**
 * Makes the CA and the certificates of a sandbox: EC P-256, one leaf per process name.
 *
 * Invariants: keys are written with mode 0600 before anything reads them; a file appears whole or not at all (written aside, then renamed);
 * a valid certificate is kept, one that ends within 7 days, or was signed by another CA, is made anew. The CA's key stays in the folder,
 * which is why this is for sandboxes: production brings its own certificates with the same names.
 */
import "reflect-metadata";
import { randomBytes, type webcrypto } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "@florin/kernel";
import * as x509 from "@peculiar/x509";
import { spiffeIdPrefix } from "./identity.ts";
import { sandboxAuthorityName } from "./sandbox-authority.ts";

const dayMs = 86_400_000;
const caLifeMs = 3_650 * dayMs;
const leafLifeMs = 365 * dayMs;
/** A certificate with less life left is made anew. */
const renewBeforeMs = 7 * dayMs;
/** Tolerates clocks that run behind ours. */
const backdateMs = 3_600_000;
const lockWaitMs = 20_000;

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export type Authority = { readonly certificate: x509.X509Certificate; readonly key: webcrypto.CryptoKey };

/**
 * Makes what is missing or about to expire: `ca.pem`, `ca-key.pem`, and `<name>.pem`, `<name>-key.pem` for every name (CN = name,
 * SAN DNS:localhost, IP:127.0.0.1, IP:::1, URI:spiffe://florin/<name>). Idempotent; two callers at once agree on one CA.
 */
export async function makeCertificates(o: {
  readonly directory: string;
  readonly names: readonly string[];
  /** Common name of the CA. Production refuses certificates of the default, which everybody's sandbox has. */
  readonly authorityName?: string;
}): Promise<void> {
  for (const name of o.names) assert(/^[a-z][a-z0-9-]{0,62}$/.test(name) && name !== "ca", `${name} cannot name a certificate`);
  mkdirSync(o.directory, { recursive: true, mode: 0o700 });
  x509.cryptoProvider.set(crypto);
  const unlock = await lock(join(o.directory, ".making"));
  try {
    const authority = (await loadAuthority(o.directory)) ?? (await makeAuthority(o.directory, o.authorityName ?? sandboxAuthorityName));
    for (const name of o.names) {
      if (!(await isLeafGood(o.directory, name, authority))) await makeLeaf(o.directory, name, authority);
    }
  } finally {
    unlock();
  }
}

export async function loadAuthority(directory: string): Promise<Authority | undefined> {
  const certificate = readCertificate(join(directory, "ca.pem"));
  const keyFile = join(directory, "ca-key.pem");
  if (certificate === undefined || !isFresh(certificate) || !existsSync(keyFile)) return undefined;
  const der = x509.PemConverter.decodeFirst(readFileSync(keyFile, "utf8"));
  const key = await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  return { certificate, key };
}

async function makeAuthority(directory: string, name: string): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(caLifeMs),
    name: `CN=${name}`,
    keys: keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writePair(directory, "ca", certificate, keys.privateKey);
  return { certificate, key: keys.privateKey };
}

async function isLeafGood(directory: string, name: string, authority: Authority): Promise<boolean> {
  const certificate = readCertificate(join(directory, `${name}.pem`));
  if (certificate === undefined || !isFresh(certificate) || !existsSync(join(directory, `${name}-key.pem`))) return false;
  return certificate.verify({ publicKey: authority.certificate.publicKey, signatureOnly: true });
}

async function makeLeaf(directory: string, name: string, authority: Authority): Promise<void> {
  const { certificate, privateKey } = await signLeaf(authority, name, validity(leafLifeMs));
  await writePair(directory, name, certificate, privateKey);
}

/** A leaf for `name` and its key, in memory. */
export async function signLeaf(authority: Authority, name: string, life: Validity) {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    ...life,
    subject: `CN=${name}`,
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
        { type: "ip", value: "::1" },
        { type: "url", value: `${spiffeIdPrefix}${name}` },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
    ],
  });
  return { certificate, privateKey: keys.privateKey };
}

type Validity = { readonly serialNumber: string; readonly notBefore: Date; readonly notAfter: Date };

export function validity(lifeMs: number): Validity {
  // RFC 5280 §4.1.2.2: positive, at most 20 octets; the cleared top bit keeps it positive.
  const serial = randomBytes(16);
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0);
  const now = Date.now();
  return { serialNumber: serial.toString("hex"), notBefore: new Date(now - backdateMs), notAfter: new Date(now + lifeMs) };
}

function isFresh(certificate: x509.X509Certificate): boolean {
  return certificate.notAfter.getTime() - Date.now() > renewBeforeMs;
}

function readCertificate(file: string): x509.X509Certificate | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return new x509.X509Certificate(readFileSync(file, "utf8"));
  } catch {
    // A half-written or foreign file is not a certificate: make a new one.
    return undefined;
  }
}

export async function writePair(
  directory: string,
  name: string,
  certificate: x509.X509Certificate,
  key: webcrypto.CryptoKey,
): Promise<void> {
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", key);
  // The key first: a certificate without its key would look finished.
  writeWhole(join(directory, `${name}-key.pem`), x509.PemConverter.encode(pkcs8, "PRIVATE KEY"), 0o600);
  writeWhole(join(directory, `${name}.pem`), certificate.toString("pem"), 0o644);
}

function writeWhole(file: string, text: string, mode: number): void {
  const aside = `${file}.${process.pid}.tmp`;
  writeFileSync(aside, `${text}\n`, { mode });
  renameSync(aside, file);
}

/** A lock folder, so that two starters do not make two CAs. A lock left by a crash is taken over after `lockWaitMs`. */
async function lock(folder: string): Promise<() => void> {
  const untilMs = performance.now() + lockWaitMs;
  for (;;) {
    try {
      mkdirSync(folder);
      break;
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code !== "EEXIST") throw fault;
      if (performance.now() > untilMs) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return () => rmSync(folder, { recursive: true, force: true });
}
