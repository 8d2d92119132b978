/**
 * No secret is in the repository: no private key, no live API key, no access key of a cloud, no password outside of tests and benches, whose
 * servers live as long as they do (PCI DSS 8.6.2).
 */
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rootFolder } from "./root-folder.ts";
import { listFiles } from "./tidy/source-files.ts";

type Rule = { readonly what: string; readonly pattern: RegExp; readonly inTestsToo: boolean };

const rules: readonly Rule[] = [
  { what: "a private key", pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/]{16}/, inTestsToo: true },
  { what: "a live API key", pattern: /\bsk_live_[0-9A-Za-z]{16}_?[0-9A-Za-z]{8}/, inTestsToo: true },
  {
    what: "an access key of a cloud or a forge",
    pattern: /\b(AKIA[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36}|xox[abpr]-[0-9A-Za-z-]{20})/,
    inTestsToo: true,
  },
  { what: "a password in a URL", pattern: /:\/\/[a-z_]+:(?!password@|…@)[^@\s"'`${}<>]{2,}@[\w.]/i, inTestsToo: false },
  {
    what: "a password",
    pattern: /(password|passwd|\bpin|pepper|secret(key)?|apikey|\bkek)["']?\s*[:=]\s*["'`](?!sk_test_|pk_test_)[^"'`$\s<>…|]{6,}["'`]/i,
    inTestsToo: false,
  },
  { what: "a key in hex", pattern: /["'`][0-9a-f]{64}["'`]/i, inTestsToo: false },
];

const isForTests = (path: string): boolean => /\.test\.ts$|\/(test|bench)\//.test(path);
const bytesMax = 2_000_000;

test("no file has a secret", () => {
  const paths = trackedFiles();
  expect(paths.length).toBeGreaterThan(500);
  const found = paths.flatMap((path) =>
    secretsIn(path, textOf(path)).map((what) => `${path} has ${what}: it belongs in the environment or in a file that is not kept here`),
  );
  expect(found).toEqual([]);
});

test("the rules see each kind, and let pass what only looks like one", () => {
  const keyHead = `-----BEGIN EC PRIVATE ${"KEY"}-----\n`;
  const samples = [
    `${keyHead}MHcCAQEEIBkg4LVWM9nuwNSk3yByxZpYRTBnVJk5`,
    `const key = "sk_live_${"0".repeat(16)}_${"a".repeat(32)}";`,
    `id: AKIA${"A".repeat(16)}`,
    `url: postgres://app:${"s3same"}@db.internal/x`,
    `const password = "${"open-sesame"}";`,
    `FLORIN_KEK="${"c3".repeat(32)}"`,
  ];
  expect(samples.map((sample) => secretsIn("vault/src/a.ts", sample).length > 0)).toEqual(samples.map(() => true));
  const harmless = [`${keyHead}`, "postgres://user:password@host:5432/postgres", "postgres://app:…@127.0.0.1/x", "sk_live_…"];
  expect(harmless.flatMap((sample) => secretsIn("vault/src/a.ts", sample))).toEqual([]);
});

const secretName = "(hash|hmac|mac|digest|signature|seal|keyCheck|secret|secretKey|password|pepper|apiKey|pin)";
/** What is compared with a constant, by length or by kind is no secret. */
const harmlessOperand = "(?!\\s*(undefined|null|true|false|[\"'`\\d-]))";
const comparisons: readonly RegExp[] = [
  new RegExp(`\\b(\\w*[a-z])?${secretName}(\\([^()]*\\))?\\)?\\s*[!=]==${harmlessOperand}`, "i"),
  new RegExp(`[!=]==\\s*(\\w+\\.)*(\\w*[a-z])?${secretName}\\b(?![.(])`, "i"),
  new RegExp(`${secretName}\\.(equals|compare)\\(|Buffer\\.compare\\(`, "i"),
];
/** Comparisons that look so and are not, each with its reason. */
const noSecrets: readonly string[] = [
  // A hash without a key, over a request that the caller itself sent.
  "stored.requestHash.equals(use.requestHash)",
  // Both sides are the same text's own.
  "parsed.password === parsed.username",
];

test("secrets are compared by timingSafeEqual, never by === or equals", () => {
  const found = trackedFiles()
    .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path) && !isForTests(path) && !path.startsWith("gen/"))
    .flatMap((path) =>
      textOf(path)
        .split("\n")
        .map((line) => [path, line.trim()] as const),
    )
    .filter(([, line]) => comparesSecret(line))
    .map(([path, line]) => `${path}: ${line}: compare digests of one length with timingSafeEqual`);
  expect(found).toEqual([]);
});

test("the rule about comparisons sees each form, and lets pass what only looks like one", () => {
  const bad = [
    "if (keyHash === stored.keyHash) return true;",
    "return given !== expectedSignature;",
    "return entry.digest.equals(digest);",
    "if (mac(body) === header) accept();",
    "if (row.password === password) return;",
    "return Buffer.compare(one, other) === 0;",
  ];
  expect(bad.filter((line) => !comparesSecret(line))).toEqual([]);
  const good = [
    'if (password === "") return;',
    "if (seal.seal.length !== 32) throw fault;",
    "entry.digest !== undefined",
    "apiKey.mode === mode",
    "hash === null",
  ];
  expect(good.filter(comparesSecret)).toEqual([]);
});

function comparesSecret(line: string): boolean {
  return !line.startsWith("*") && !noSecrets.some((one) => line.includes(one)) && comparisons.some((pattern) => pattern.test(line));
}

function secretsIn(path: string, text: string): readonly string[] {
  return rules.filter(({ pattern, inTestsToo }) => (inTestsToo || !isForTests(path)) && pattern.test(text)).map(({ what }) => what);
}

/** What git keeps; all files where there is no git. This file quotes what it looks for. */
function trackedFiles(): readonly string[] {
  let paths: readonly string[];
  try {
    paths = execFileSync("git", ["ls-files", "-z"], { cwd: rootFolder, stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .split("\0")
      .filter((path) => path !== "");
  } catch {
    paths = listFiles(".");
  }
  return paths.filter((path) => statSync(join(rootFolder, path), { throwIfNoEntry: false })?.isFile() === true);
}

/** Pictures are read too: what is no text in them harms nothing. */
function textOf(path: string): string {
  const file = join(rootFolder, path);
  return statSync(file).size > bytesMax ? "" : readFileSync(file, "utf8");
}
