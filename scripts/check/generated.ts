/** Code that scripts write: from proto/ into gen/src, and the currency table. Writing it, and checking that it is current. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { currencyTable } from "../generate/currencies.ts";
import { rootFolder } from "../root-folder.ts";
import { type Counts, oneFailed, onePassed } from "./counts.ts";
import { runCommand } from "./steps.ts";
import { tool } from "./tools.ts";

const generatedFolder = join("gen", "src");
const currencyFile = join("kernel", "src", "currency-table.ts");

export async function writeGenerated(): Promise<void> {
  await generateInto(rootFolder);
  writeFileSync(join(rootFolder, currencyFile), currencyTable());
}

/** Generates into a folder of its own and compares, so that a failing check changes nothing. */
export async function checkGenerated(): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), "florin-generated-"));
  try {
    await generateInto(folder);
    const fresh = readTree(join(folder, generatedFolder));
    const committed = readTree(join(rootFolder, generatedFolder));
    fresh.set(currencyFile, currencyTable());
    committed.set(currencyFile, readFileSync(join(rootFolder, currencyFile), "utf8"));
    const stale = [...new Set([...fresh.keys(), ...committed.keys()])].filter((name) => fresh.get(name) !== committed.get(name));
    for (const name of stale) console.error(`${name} is not what its source gives now: run npm run gen and commit the result`);
    return stale.length === 0 ? onePassed : oneFailed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function generateInto(folder: string): Promise<void> {
  const code = await runCommand(tool("buf"), ["generate", "--output", folder]);
  if (code !== 0) throw new Error(`buf generate ended with ${code}`);
}

function readTree(folder: string): Map<string, string> {
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, "utf8")]));
}
