/** docs/pci-dss.md: what software answers of PCI DSS 4.0.1, with code and tests that have to be there, and what is left to the operator. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { rootFolder } from "../root-folder.ts";
import { type Proof, proof, renderProofs } from "./proof.ts";
import { renderTable } from "./table.ts";

type Requirement = {
  readonly id: string;
  readonly asks: string;
  readonly answer: string;
  /** Files or folders, from the root. */
  readonly code: readonly string[];
  readonly proofs: readonly Proof[];
  readonly operator: string;
};

const requirement = (
  id: string,
  asks: string,
  answer: string,
  o: { code?: readonly string[]; proofs?: readonly Proof[]; operator?: string },
): Requirement => ({ id, asks, answer, code: o.code ?? [], proofs: o.proofs ?? [], operator: o.operator ?? "" });

const canary = "loadtest/test/canary.test.ts";
const cards = "vault/test/cards.test.ts";
const keys = "vault/test/data-keys.test.ts";
const rotation = "vault/test/key-rotation.test.ts";
const ring = "vault/test/key-ring.test.ts";
const roles = "scripts/test/database-roles.test.ts";
const settings = "scripts/production-settings.test.ts";
const listeners = "loadtest/test/internal-listeners.test.ts";

const requirements: readonly Requirement[] = [
  requirement(
    "3.2.1",
    "keep least, delete by plan",
    "tokens and sealed cards only; codes never at rest; tokens expire, deleted cards are shredded with their key",
    {
      code: ["vault/src/app/delete-token.ts", "vault/src/app/expire-cards.ts", "vault/src/workers/forget-envelopes.ts"],
      proofs: [
        proof(canary, "no row of any database outside the vault has a card number"),
        proof("vault/test/shredding.test.ts", "a backup without shares, every key and the deleted database do not open a deleted card"),
        proof("vault/test/token-lives.test.ts", "of a card whose month and grace are over is deleted"),
      ],
      operator: "the plan: how long which card is kept",
    },
  ),
  requirement("3.3.1, 3.3.1.2", "no security code after authorization", "in memory, given out once, then gone", {
    code: ["vault/src/app/security-codes.ts"],
    proofs: [
      proof("vault/src/app/security-codes.test.ts", "a code is given out once"),
      proof(cards, "no card number and no code stands in the database or in what the process wrote"),
    ],
  }),
  requirement(
    "3.3.2",
    "a code that waits for authorization is encrypted",
    "sealed under a key that dies with the process, at most 15 minutes",
    {
      code: ["vault/src/app/security-codes.ts"],
      proofs: [proof("vault/src/app/security-codes.test.ts", "a code lives fifteen minutes")],
    },
  ),
  requirement("3.4.1", "show at most BIN and last four", "a secret prints its mask; answers hold BIN and last four", {
    code: ["kernel/src/secret.ts", "vault/src/domain/card.ts"],
    proofs: [
      proof(cards, "learns what a token is, and nothing more"),
      proof("vault/src/domain/card.test.ts", "eight digits in clear need a number of sixteen"),
    ],
  }),
  requirement("3.5.1", "numbers are unreadable wherever they are stored, logs included", "AES-256-GCM; log lines pass a guard", {
    code: ["vault/src/app/card-cipher.ts", "runtime/src/telemetry/line-guard.ts"],
    proofs: [
      proof(cards, "no card number and no code stands in the database's files, its log of changes included"),
      proof(canary, "no log line of any process has a card number"),
      proof(
        "runtime/src/telemetry/logger.test.ts",
        "a card number in the message, a field, a child's binding or an error's cause is masked",
      ),
    ],
  }),
  requirement(
    "3.5.1.1",
    "hashes of numbers are keyed, over the whole number",
    "HMAC-SHA256 under a key per merchant, with the key management of 3.6 and 3.7",
    {
      code: ["vault/src/app/card-cipher.ts"],
      proofs: [
        proof("vault/src/app/card-cipher.test.ts", "is the same for the same number, and another one for another number or merchant"),
      ],
    },
  ),
  requirement("3.5.1.2", "disk encryption alone does not count", "each card is sealed by itself before it is stored", {
    code: ["vault/src/domain/sealed-card.ts"],
    proofs: [proof("vault/src/app/card-cipher.test.ts", "does not open when a single bit was changed anywhere")],
  }),
  requirement(
    "3.6.1",
    "keys are protected: fewest people and places, KEK as strong and apart",
    "AES-256 throughout; the KEK in the module, data keys wrapped",
    {
      code: ["vault/src/hsm"],
      proofs: [proof("vault/test/pkcs11.test.ts", "cannot be read, cannot be made extractable, and does nothing but wrap")],
      operator: "who the custodians are",
    },
  ),
  requirement(
    "3.6.1.1",
    "the architecture is written down; no key of tests in production",
    "this page, the vault's README, the threat model; production refuses keys of sandboxes",
    {
      code: ["docs/THREAT-MODEL.md", "runtime/src/config/weak-secret.ts"],
      proofs: [proof(settings, "refuses bad values of")],
    },
  ),
  requirement("3.6.1.2", "keys are wrapped, in a module, or in full-length shares", "all three, each where it belongs", {
    code: ["vault/src/app/root-key.ts", "vault/src/app/key-shares.ts"],
    proofs: [
      proof(keys, "no key stands in the database in clear"),
      proof("vault/src/app/key-shares.test.ts", "are as long as the key, other ones each time"),
    ],
  }),
  requirement("3.6.1.3, 3.6.1.4", "fewest people and places reach keys in clear", "the vault's memory, as key objects; nothing else", {
    code: ["vault/src/app/data-keys.ts"],
    proofs: [proof("vault/test/pkcs11.test.ts", "leave nothing of a data key behind when it was wrapped and unwrapped")],
    operator: "access to the vault's host",
  }),
  requirement("3.7.1", "strong keys are generated", "by the module, or by the system's generator; made-up ones are refused", {
    code: ["vault/src/hsm/pkcs11-token.ts"],
    proofs: [proof("runtime/src/config/config.test.ts", "what is made up instead of drawn")],
  }),
  requirement("3.7.2", "keys are distributed safely", "shares, each in its custodian's file; wrapped otherwise", {
    code: ["vault/src/app/key-shares.ts", "docs/operations/key-ceremony.md"],
    proofs: [proof(rotation, "two people bring in a key in shares: the module and no file holds it")],
    operator: "the ceremony",
  }),
  requirement("3.7.3", "keys are stored safely", "wrapped by the module; a ring's seal notices what was touched", {
    code: ["vault/src/app/key-ring.ts"],
    proofs: [proof(ring, "a key of another vault under the same key-encryption key is refused")],
  }),
  requirement("3.7.4", "keys change at the end of their time", "by time and by count, beside a vault that serves", {
    code: ["vault/src/app/data-keys.ts", "docs/operations/key-rotation.md"],
    proofs: [proof(rotation, "nothing fails, and every card ends under the newest key"), proof(keys, "an epoch ends with its time")],
    operator: "the KEK's year",
  }),
  requirement(
    "3.7.5",
    "keys are retired, replaced, destroyed",
    "retire, reseal, destroy; destroyed epochs open nothing, in backups neither",
    {
      code: ["vault/src/app/key-custody.ts"],
      proofs: [proof(ring, "what is not retired is not destroyed, what is destroyed opens nothing")],
      operator: "to do it on suspicion",
    },
  ),
  requirement("3.7.6", "split knowledge, dual control", "destroying and restoring take two people; shares are useless one by one", {
    code: ["vault/src/app/key-custody.ts", "vault/src/app/key-shares.ts"],
    proofs: [proof("vault/src/app/key-shares.test.ts", "one alone, one twice and nine are refused")],
    operator: "that two names are two people",
  }),
  requirement("3.7.7", "keys cannot be substituted", "checks bind a key to its row, the ring's seal and its generation to the whole", {
    code: ["vault/src/app/key-ring.ts"],
    proofs: [
      proof(keys, "wrapped keys swapped between two epochs are noticed at the start"),
      proof(ring, "one row set back to what it was before a rewrap is refused"),
    ],
  }),
  requirement("3.7.8, 3.7.9", "custodians accept their duty; customers are told how keys are shared", "", {
    operator: "yours; Florin shares no key with customers",
  }),
  requirement(
    "4.2.1",
    "strong cryptography on open networks, valid certificates, no fallback",
    "TLS 1.3 between processes; processors over https in production; card fields encrypt besides",
    {
      code: ["runtime/src/rpc/credentials.ts"],
      proofs: [
        proof(listeners, "refuses plaintext, a caller without certificate, and TLS before 1.3"),
        proof(settings, "a processor is called over TLS"),
      ],
      operator: "TLS in front of edge and vault",
    },
  ),
  requirement("4.2.1.1", "an inventory of keys and certificates", "`npm run vault -- keys list`; the table of certificates", {
    code: ["docs/operations/certificates.md", "vault/src/keys.ts"],
    proofs: [proof(rotation, "the inventory shows every key and what was done by whom, and no key")],
    operator: "your terminators' certificates",
  }),
  requirement(
    "6.2.4",
    "defences in code: injection, cryptography, business logic, access",
    "statements with parameters, strict readers, constant-time comparison, one answer for what is not yours",
    {
      code: ["scripts/tidy.test.ts", "scripts/tidy-secrets.test.ts"],
      proofs: [
        proof("scripts/tidy-secrets.test.ts", "secrets are compared by timingSafeEqual, never by === or equals"),
        proof("gateway-edge/test/keys.test.ts", "another merchant's payment, an unknown one and a malformed id get the same bytes"),
      ],
    },
  ),
  requirement("6.3.2", "an inventory of components", "exact versions, each explained; `npm sbom --sbom-format cyclonedx` writes the list", {
    code: ["docs/dependencies.md", "package-lock.json"],
    proofs: [proof("scripts/tidy.test.ts", "every runtime dependency is explained in docs/dependencies.md")],
    operator: "watching for faults in them (6.3.3)",
  }),
  requirement(
    "6.4.3",
    "scripts of payment pages are authorised, whole and listed",
    "an inventory with reasons and hashes, integrity values, a policy without unsafe-inline",
    {
      code: ["vault/src/browser/inventory.json", "vault/src/inventory.ts"],
      proofs: [
        proof("vault/src/inventory.test.ts", "the inventory is current"),
        proof("vault/test/card-fields.test.ts", "of ours with one changed byte does not run"),
      ],
      operator: "the merchant's own page",
    },
  ),
  requirement("6.5.5", "no live number in tests", "test mode takes published numbers only; a simulator stands for the world", {
    code: ["kernel/src/test-card.ts"],
    proofs: [proof("vault/test/tokens.test.ts", "of a real number is refused in test mode and taken in live mode")],
  }),
  requirement(
    "7.2.5, 7.2.6",
    "least privilege for programs; few ways to query card data",
    "a role per process, tried on every table and verb; cards open for the connectors alone, one by one",
    {
      code: ["docs/database-roles.md", "vault/src/rpc/policy.ts"],
      proofs: [
        proof(roles, "the application role may do with tables what the grid says, column by column, and nothing else"),
        proof(cards, "cannot open a card, neither in a frame nor in a call"),
      ],
      operator: "people's accounts at the database",
    },
  ),
  requirement("8.3.x", "people are authenticated strongly", "people reach Florin by certificate (`operator`, `client`)", {
    code: ["runtime/src/rpc/peer.ts"],
    proofs: [proof(listeners, "refuses certificates of another CA, expired ones, and names that may not call")],
    operator: "accounts and second factors of your hosts (8.4.2)",
  }),
  requirement(
    "8.6.1–8.6.3",
    "no passwords in scripts or source; program accounts' secrets are changed",
    "secrets come from files or the environment; weak and shipped ones are refused; certificates change without a restart",
    {
      code: ["runtime/src/config", "runtime/src/tls/watch-tls.ts"],
      proofs: [
        proof("scripts/tidy-secrets.test.ts", "no file has a secret"),
        proof("scripts/test/secrets-at-rest.test.ts", "no log has one"),
        proof(listeners, "certificates are renewed while payments go on, and none is lost"),
      ],
      operator: "the rhythm",
    },
  ),
  requirement(
    "10.2.1.1",
    "every access to card data is logged",
    "a record per opening: who, why, which card, which payment; no record, no card",
    {
      code: ["vault/src/app/access-log.ts"],
      proofs: [
        proof(cards, "has a row for every opening: who, why, which card, for which payment"),
        proof(cards, "keeps every card closed while it cannot be written"),
      ],
    },
  ),
  requirement(
    "10.2.1.2, .5, .7",
    "administration, changes of credentials and of objects are logged",
    "what is done with keys is recorded with its people",
    {
      code: ["vault/src/app/key-custody.ts"],
      proofs: [proof(rotation, "the inventory shows every key and what was done by whom")],
      operator: "the database's own log of its administrators; making and revoking API keys",
    },
  ),
  requirement("10.2.1.3, .6", "access to logs, and their start and stop, are logged", "", {
    operator: "your log system and the database's log; each process logs its start and its end",
  }),
  requirement("10.2.1.4", "failed access is logged", "refused callers and openings; failed API keys are counted", {
    code: ["runtime/src/rpc/call-host.ts"],
    proofs: [proof(cards, "records that a sealed card was tampered with, and the card stays closed")],
  }),
  requirement("10.3", "logs cannot be changed", "the role adds and cannot even read; numbers without gaps show what was removed", {
    code: ["vault/migrations/0001_cards-keys-and-accesses.sql"],
    proofs: [proof(cards, "has no gaps in a writer's numbers"), proof(keys, "can neither change nor remove a card, a key or an access")],
    operator: "ship them away from the host",
  }),
  requirement("10.5.1", "twelve months of logs, three at hand", "records by month; none is dropped by Florin", {
    code: ["vault/src/workers/make-partitions.ts"],
    proofs: [proof(keys, "can have room made in the access log, once")],
    operator: "keeping and archiving the months",
  }),
  requirement("10.6", "clocks agree", "times are UTC; an envelope's age is checked", { operator: "NTP on every host" }),
  requirement("11.5.2", "changes of files are noticed", "what payers get is compared with the inventory", {
    code: ["vault/src/inventory.ts"],
    proofs: [proof("vault/src/inventory.test.ts", "finds nothing where all is as it was reviewed")],
    operator: "file watching on the hosts",
  }),
  requirement(
    "11.6.1",
    "headers and scripts of payment pages are watched, weekly at least",
    "`node vault/src/inventory.ts check <origin>`",
    {
      code: ["vault/src/inventory.ts"],
      proofs: [proof("vault/src/inventory.test.ts", "finds a header that is weaker, and one that is gone")],
      operator: "running it, and the merchant's page",
    },
  ),
  requirement(
    "12.10.7",
    "a plan for numbers where none should be",
    "log lines mask what looks like a card number; `npx florin scan` finds them in files; a runbook",
    {
      code: ["runtime/src/telemetry/line-guard.ts", "detector/src/scan.ts", "docs/operations/card-number-found.md"],
      proofs: [
        proof("runtime/src/telemetry/line-guard.test.ts", "masks inside strings and numbers at any depth and stays JSON"),
        proof("detector/src/scan/scan-paths.test.ts", "tells path, place, encoding and mask, and never the number"),
      ],
      operator: "the plan: who is called, what is wiped",
    },
  ),
];

export function renderPciDss(): string {
  return `# PCI DSS 4.0.1

Generated by \`npm run docs\` from \`scripts/docs/pci-dss.ts\`, which fails when a file or a test that is named here is gone. It lists the requirements that software has a part in; the others are yours, and an
assessor decides about all of them. Where card data can be, and what an attacker gains where, is in the [threat model](THREAT-MODEL.md).

${renderTable(["requirement", "asks for", "Florin", "code", "tests", "operator's part"], requirements.map(toRow))}
`;
}

function toRow(one: Requirement): readonly string[] {
  return [
    one.id,
    one.asks,
    one.answer === "" ? "–" : one.answer,
    one.code.map(linkTo).join(", "),
    renderProofs(one.proofs, ".."),
    one.operator,
  ];
}

function linkTo(path: string): string {
  if (!existsSync(join(rootFolder, path))) throw new Error(`${path} is not there any more`);
  return `[${path.slice(path.lastIndexOf("/") + 1)}](${path.startsWith("docs/") ? path.slice("docs/".length) : `../${path}`})`;
}
