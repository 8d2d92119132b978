/** Tokens of SoftHSM for tests: made by `softhsm2-util`, kept in a folder of this test. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Secret } from "@florin/kernel";
import { findProgram, temporaryFolder } from "@florin/runtime/testing";
import { openPkcs11Custody, openPkcs11Hsm } from "../src/hsm/pkcs11.ts";

const pin = randomBytes(6).toString("hex");
const modulePaths = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

/** Why there is no module here; undefined when there is one. With CI=true that is an error, not a skip. */
export function missingModule(): string | undefined {
  const missing = [
    findProgram("softhsm2-util") === undefined ? "softhsm2-util" : "",
    modulePaths.some((path) => existsSync(path)) ? "" : "libsofthsm2.so",
    isBuilt() ? "" : "pkcs11js (it is built at installation, with a C++ compiler)",
  ].filter((name) => name !== "");
  if (missing.length === 0) return undefined;
  const reason = `not installed: ${missing.join(", ")}`;
  if (process.env["CI"] === "true") throw new Error(`${reason}, and with CI=true no suite is skipped`);
  return reason;
}

function isBuilt(): boolean {
  try {
    createRequire(import.meta.url)("pkcs11js");
    return true;
  } catch {
    return false;
  }
}

export type SoftToken = {
  /** What the vault process is configured with, KEK label aside. */
  readonly env: Readonly<Record<string, string>>;
  readonly modulePath: string;
  readonly tokenLabel: string;
  /** Another copy each time: adapters wipe it. */
  pin(): Secret;
  hsm(kekLabel: string): ReturnType<typeof openPkcs11Hsm>;
  custody(): ReturnType<typeof openPkcs11Custody>;
};

let configuration: string | undefined;

/** A new empty token. SoftHSM reads one configuration per process, so all tokens of a test file share a folder. */
export function makeSoftToken(): SoftToken {
  configuration ??= configure();
  const tokenLabel = `florin-${randomBytes(6).toString("hex")}`;
  const words = ["--init-token", "--free", "--label", tokenLabel, "--pin", pin, "--so-pin", "918273"];
  execFileSync(findProgram("softhsm2-util") ?? "softhsm2-util", words, { stdio: ["ignore", "ignore", "pipe"] });
  const modulePath = modulePaths.find((path) => existsSync(path)) ?? "";
  const place = () => ({ modulePath, tokenLabel, pin: new Secret(Buffer.from(pin)) });
  return {
    env: {
      SOFTHSM2_CONF: configuration,
      FLORIN_HSM: "pkcs11",
      FLORIN_HSM_MODULE: modulePath,
      FLORIN_HSM_TOKEN_LABEL: tokenLabel,
      FLORIN_HSM_PIN: pin,
    },
    modulePath,
    tokenLabel,
    pin: () => new Secret(Buffer.from(pin)),
    hsm: (kekLabel) => openPkcs11Hsm({ ...place(), kekLabel }),
    custody: () => openPkcs11Custody(place()),
  };
}

function configure(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "tokens"), { mode: 0o700 });
  const path = join(folder, "softhsm2.conf");
  writeFileSync(path, `directories.tokendir = ${join(folder, "tokens")}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  process.env["SOFTHSM2_CONF"] = path;
  return path;
}
