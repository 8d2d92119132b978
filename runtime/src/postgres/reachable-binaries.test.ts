import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/index.ts";
import { reachableBinaries } from "./reachable-binaries.ts";

function madeBinaries(text: string) {
  const native = join(temporaryFolder(), "native");
  mkdirSync(join(native, "bin"), { recursive: true });
  mkdirSync(join(native, "lib"));
  for (const name of ["initdb", "postgres"]) writeFileSync(join(native, "bin", name), `${text} ${name}`, { mode: 0o755 });
  writeFileSync(join(native, "lib", "libpq.so"), text);
  return { initdb: join(native, "bin", "initdb"), postgres: join(native, "bin", "postgres") };
}

test("binaries that the account can reach are used where they are", () => {
  const binaries = madeBinaries("18.4");
  expect(reachableBinaries(binaries, "18.4", () => true, join(temporaryFolder(), "copies"))).toBe(binaries);
});

test("others are copied once with their libraries, and anew for another version", () => {
  const copies = join(temporaryFolder(), "copies");
  const binaries = madeBinaries("18.4");
  const copy = reachableBinaries(binaries, "18.4", () => false, copies);
  expect(readFileSync(copy.postgres, "utf8")).toBe("18.4 postgres");
  expect(readFileSync(join(copy.postgres, "..", "..", "lib", "libpq.so"), "utf8")).toBe("18.4");
  writeFileSync(binaries.postgres, "changed");
  expect(reachableBinaries(binaries, "18.4", () => false, copies)).toEqual(copy);
  expect(readFileSync(copy.postgres, "utf8")).toBe("18.4 postgres");
  expect(reachableBinaries(binaries, "18.5", () => false, copies)).not.toEqual(copy);
  expect(readdirSync(copies)).toHaveLength(2);
});
