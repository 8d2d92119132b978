/**
 * The inventory of what the vault puts on payment pages, and the monitor that compares it with what arrives (PCI DSS 6.4.3 and 11.6.1).
 *
 *     node vault/src/inventory.ts write                       after a change of the scripts, which is authorized by the review of this file
 *     node vault/src/inventory.ts check https://cards.example  ends with 1 and a line for each difference; run it from outside, every day
 *
 * inventory.json stands in the repository: every file with its path, the reason why it is there, its SHA-384 and the headers that guard it. `check` asks the way a
 * payer's browser does, through every proxy and CDN in between: a changed byte, a header that is gone, weaker or another's, and a file that is not there
 * are differences. Not here: the rest of the merchant's page, which is the merchant's own to list.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { loadFieldFiles } from "./rest/field-files.ts";

export type InventoryEntry = {
  readonly path: string;
  readonly why: string;
  readonly integrity: string;
  readonly headers: Readonly<Record<string, string>>;
};

const file = new URL("./browser/inventory.json", import.meta.url);
const requestTimeoutMs = 10_000;
const bodyBytesMax = 1_000_000;

/** What this release serves. */
export function currentInventory(): readonly InventoryEntry[] {
  return loadFieldFiles().map(({ path, why, integrity, headers }) => ({ path, why, integrity, headers }));
}

/** What was reviewed. */
export function readInventory(): readonly InventoryEntry[] {
  return JSON.parse(readFileSync(file, "utf8")) as readonly InventoryEntry[];
}

/** A sentence for each difference between `inventory` and what `origin` serves; none when all is as it was reviewed. */
export async function findTampering(origin: string, inventory: readonly InventoryEntry[]): Promise<readonly string[]> {
  return (await Promise.all(inventory.map((entry) => compare(origin, entry)))).flat();
}

async function compare(origin: string, { path, integrity, headers }: InventoryEntry): Promise<readonly string[]> {
  const response = await fetch(new URL(path, origin), { redirect: "manual", signal: AbortSignal.timeout(requestTimeoutMs) }).catch(
    () => undefined,
  );
  if (response === undefined) return [`${path}: no answer`];
  const body = Buffer.from(await response.arrayBuffer()).subarray(0, bodyBytesMax);
  if (response.status !== 200) return [`${path}: answered ${response.status}`];
  const found = `sha384-${createHash("sha384").update(body).digest("base64")}`;
  const changed = found === integrity ? [] : [`${path}: the content is another one (${found})`];
  const weakened = Object.entries(headers)
    .filter(([name, value]) => response.headers.get(name) !== value)
    .map(([name]) => `${path}: the header ${name} is ${response.headers.has(name) ? "another one" : "gone"}`);
  return [...changed, ...weakened];
}

async function main([command, origin = ""]: readonly string[]): Promise<number> {
  if (command === "write") {
    writeFileSync(file, `${JSON.stringify(currentInventory(), null, 2)}\n`);
    return 0;
  }
  if (command !== "check" || !URL.canParse(origin)) {
    console.error("usage: node vault/src/inventory.ts write | check <https://cards.example>");
    return 2;
  }
  const inventory = readInventory();
  const differences = await findTampering(origin, inventory);
  for (const difference of differences) console.error(difference);
  console.log(`${inventory.length} files at ${new URL(origin).origin}, ${differences.length} differences`);
  return differences.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
