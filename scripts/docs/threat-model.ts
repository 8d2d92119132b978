/** The generated parts of docs/THREAT-MODEL.md: where card data can be, and who may call what, from the services' own policies. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rootFolder } from "../root-folder.ts";
import { type Proof, proof, renderProofs } from "./proof.ts";
import { renderTable } from "./table.ts";

type Place = {
  readonly place: string;
  readonly form: string;
  readonly howLong: string;
  readonly wipedBy: string;
  readonly proofs: readonly Proof[];
};

const vaultMemory = proof("vault/test/memory.test.ts", "cards that became tokens, or were refused, leave nothing of ours");

const places: readonly Place[] = [
  {
    place: "the payer's browser, in frames of the vault's origin",
    form: "typed digits, then a JWE",
    howLong: "until the token is there or the page is left",
    wipedBy: "the browser; the merchant's page cannot read the frame",
    proofs: [
      proof("vault/test/card-fields.test.ts", "a typed card becomes a token, encrypted before it leaves the browser"),
      proof("vault/test/card-fields.test.ts", "cannot read the field, by any way that the browser has"),
    ],
  },
  {
    place: "your TLS terminator in front of the vault",
    form: "a JWE from card fields; clear JSON from pages that post by themselves",
    howLong: "one request",
    wipedBy: "its operator's affair: it belongs to the card data environment",
    proofs: [],
  },
  {
    place: "the vault's memory, a card coming in",
    form: "bytes, never a string",
    howLong: "one request",
    wipedBy: "the vault, when the token is made or refused",
    proofs: [vaultMemory, proof("vault/test/cards.test.ts", "a card number that was taken and opened never was a string")],
  },
  {
    place: "the vault's memory, a security code",
    form: "sealed under a key that dies with the process",
    howLong: "at most 15 minutes, given out once",
    wipedBy: "the first opening for an authorization, or time",
    proofs: [
      proof("vault/src/app/security-codes.test.ts", "a code is given out once"),
      proof("vault/src/app/security-codes.test.ts", "a code lives fifteen minutes"),
    ],
  },
  {
    place: "the vault's database, its log of changes and its backups",
    form: "AES-256-GCM under a key that is derived from a wrapped one and a share of the card's own; BIN, last four and expiry in clear; a keyed fingerprint",
    howLong: "until the token expires or is deleted",
    wipedBy: "deletion of the row and its share of the key, which long backups leave out; destruction of the epoch's key",
    proofs: [
      proof("vault/test/shredding.test.ts", "a backup without shares, every key and the deleted database do not open a deleted card"),
      proof("vault/test/cards.test.ts", "no card number and no code stands in the database's files, its log of changes included"),
      proof("vault/test/data-keys.test.ts", "no key stands in the database in clear"),
    ],
  },
  {
    place: "the vault's memory and the frame to the connectors, a card going out",
    form: "bytes under TLS 1.3",
    howLong: "one frame",
    wipedBy: "the vault, when the frame is written; grpc-js's copy too",
    proofs: [
      proof("vault/test/memory.test.ts", "cards that were opened leave nothing of ours"),
      proof("runtime/test/secret-answers.test.ts", "nothing of them stays with the handler"),
    ],
  },
  {
    place: "the connectors' memory, and the request to the processor",
    form: "bytes",
    howLong: "until the request has left",
    wipedBy: "the connectors; buffers of TLS keep their last message until it is overwritten",
    proofs: [proof("connectors/test/connector-service.test.ts", "no log line has a card number or a security code")],
  },
  {
    place: "edge, switch, ledger, their databases, Redis, NATS, logs",
    form: "none: tokens, brand, BIN, last four, fingerprint",
    howLong: "–",
    wipedBy: "–",
    proofs: [
      proof("loadtest/test/canary.test.ts", "no row of any database outside the vault has a card number"),
      proof("loadtest/test/canary.test.ts", "the heaps of edge, switch and ledger have no card number"),
      proof("loadtest/test/canary.test.ts", "no log line of any process has a card number"),
    ],
  },
];

const policyFolders: Readonly<Record<string, string>> = { switch: "switch", connectors: "connectors", vault: "vault", ledger: "ledger" };

type Policy = Readonly<Record<string, readonly string[]>>;

export async function renderThreatModel(): Promise<string> {
  const policies = await Promise.all(Object.entries(policyFolders).map(async ([name, folder]) => [name, await policyOf(folder)] as const));
  const callers = [...new Set(policies.flatMap(([, policy]) => Object.keys(policy)))].toSorted();
  const rows = callers.map((caller) => [`\`${caller}\``, ...policies.map(([, policy]) => methodsOf(policy[caller] ?? []))]);
  return `## Where card data can be

${renderTable(
  ["place", "form", "how long", "what wipes it", "tests"],
  places.map((one) => [one.place, one.form, one.howLong, one.wipedBy, renderProofs(one.proofs, "..")]),
)}

## Who may call what

By the name in the certificate, over TLS 1.3; whoever is not in a column's list gets nothing there. Health and reflection are for every certificate of your CA.

${renderTable(["caller", ...policies.map(([name]) => `at ${name}`)], rows)}

Proven: ${renderProofs(
    [
      proof("loadtest/test/internal-listeners.test.ts", "refuses certificates of another CA, expired ones, and names that may not call"),
      proof("loadtest/test/internal-listeners.test.ts", "refuses plaintext, a caller without certificate, and TLS before 1.3"),
      proof("loadtest/test/internal-listeners.test.ts", "a revoked certificate is refused by every listener within seconds"),
      proof("vault/test/cards.test.ts", "cannot open a card, neither in a frame nor in a call"),
      proof("loadtest/test/egress.test.ts", "and nothing else"),
      proof("scripts/test/database-roles.test.ts", "get into no other database"),
    ],
    "..",
  )}.`;
}

function methodsOf(methods: readonly string[]): string {
  return methods.map((method) => `\`${method.slice(method.lastIndexOf(".") + 1)}\``).join(", ");
}

async function policyOf(folder: string): Promise<Policy> {
  const module = (await import(pathToFileURL(join(rootFolder, folder, "src", "rpc", "policy.ts")).href)) as { callerPolicy: Policy };
  return module.callerPolicy;
}
