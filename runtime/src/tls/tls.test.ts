import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadTls, makeCertificates, peerIdentityOf } from "./index.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "florin-tls-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const certificate = (name: string) => new X509Certificate(readFileSync(join(directory, `${name}.pem`)));

test("certificates name their process, come from one CA, and only their owner can read the keys", async () => {
  await makeCertificates({ directory, names: ["edge", "vault"] });
  const ca = certificate("ca");
  expect(ca.ca).toBe(true);
  for (const name of ["edge", "vault"]) {
    const leaf = certificate(name);
    expect(leaf.checkIssued(ca) && leaf.verify(ca.publicKey)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.subject).toBe(`CN=${name}`);
    expect(leaf.checkHost("localhost")).toBe("localhost");
    expect(leaf.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(leaf.subjectAltName).toContain(`URI:spiffe://florin/${name}`);
    expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
  }
  for (const file of readdirSync(directory).filter((name) => name.endsWith("-key.pem"))) {
    expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600);
  }
});

test("a second run keeps what is valid and adds what is missing, also when two run at once", async () => {
  await makeCertificates({ directory, names: ["edge"] });
  const before = readFileSync(join(directory, "edge.pem"), "utf8");
  await Promise.all([
    makeCertificates({ directory, names: ["edge", "switch"] }),
    makeCertificates({ directory, names: ["edge", "ledger"] }),
  ]);
  expect(readFileSync(join(directory, "edge.pem"), "utf8")).toBe(before);
  for (const name of ["switch", "ledger"]) expect(certificate(name).verify(certificate("ca").publicKey)).toBe(true);
});

test("a leaf of another CA is made anew", async () => {
  await makeCertificates({ directory, names: ["edge"] });
  rmSync(join(directory, "ca.pem"));
  await makeCertificates({ directory, names: ["edge"] });
  expect(certificate("edge").verify(certificate("ca").publicKey)).toBe(true);
});

test("the setting is read from the folder, or is the word off; a missing file is named", async () => {
  await makeCertificates({ directory, names: ["edge"] });
  expect(loadTls(directory, "edge")).toMatchObject({ kind: "mutual", name: "edge" });
  expect(loadTls("off", "edge")).toEqual({ kind: "off" });
  expect(() => loadTls(directory, "vault")).toThrow(/vault\.pem/);
});

const identity = (CN: string, subjectaltname: string | undefined) =>
  peerIdentityOf({ subject: { CN }, subjectaltname } as Parameters<typeof peerIdentityOf>[0]);

test.each<[string, string, string | undefined, string | undefined]>([
  ["a name that CN and URI agree on", "edge", "DNS:localhost, URI:spiffe://florin/edge", "edge"],
  ["no URI", "edge", "DNS:localhost", undefined],
  ["no alternative names", "edge", undefined, undefined],
  ["another common name", "vault", "URI:spiffe://florin/edge", undefined],
  ["two URIs", "edge", "URI:spiffe://florin/edge, URI:spiffe://florin/vault", undefined],
  ["another trust domain", "edge", "URI:spiffe://other/edge", undefined],
  ["a longer path", "edge", "URI:spiffe://florin/edge/x", undefined],
  ["a quoted entry that imitates a separator", "edge", 'DNS:"x, URI:spiffe://florin/edge"', undefined],
])("identity of a certificate with %s", (_case, CN, subjectaltname, expected) => {
  expect(identity(CN, subjectaltname)).toBe(expected);
});
