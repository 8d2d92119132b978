/** Certificates that no good CA hands out, and lists of revoked ones, for a folder that `makeCertificates` has made. */
import "reflect-metadata";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { required } from "@florin/kernel";
import { PemConverter, X509Certificate, X509CrlGenerator } from "@peculiar/x509";
import { loadAuthority, signLeaf, validity, writePair } from "../tls/make-certificates.ts";

const dayMs = 86_400_000;

/** Signed by the folder's CA for `name`, kept in the same folder as `<file>.pem`; `lifeMs` from now, less than 0 for one that has expired. */
export async function issueCertificate(o: { directory: string; name: string; file: string; lifeMs: number }): Promise<void> {
  const authority = required(await loadAuthority(o.directory), "the folder has a CA");
  const life = { ...validity(o.lifeMs), notBefore: new Date(Date.now() - dayMs) };
  const { certificate, privateKey } = await signLeaf(authority, o.name, life);
  await writePair(o.directory, o.file, certificate, privateKey);
}

/** Writes `crl.pem` with these files' certificates; an empty list revokes nobody. */
export async function writeRevocations(o: { directory: string; files: readonly string[] }): Promise<void> {
  const authority = required(await loadAuthority(o.directory), "the folder has a CA");
  const entries = o.files.map((file) => {
    const { serialNumber } = new X509Certificate(readFileSync(join(o.directory, `${file}.pem`), "utf8"));
    return { serialNumber, revocationDate: new Date(Date.now() - 1_000) };
  });
  const list = await X509CrlGenerator.create({
    issuer: authority.certificate.subject,
    thisUpdate: new Date(Date.now() - dayMs),
    nextUpdate: new Date(Date.now() + dayMs),
    entries,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    signingKey: authority.key,
  });
  const aside = join(o.directory, "crl.pem.tmp");
  writeFileSync(aside, `${PemConverter.encode(list.rawData, "X509 CRL")}\n`);
  renameSync(aside, join(o.directory, "crl.pem"));
}
