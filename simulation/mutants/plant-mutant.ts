/**
 * `node --import simulation/mutants/plant-mutant.ts …` with FLORIN_SIMULATION_MUTANT=<name>: plants one bug in this process.
 *
 * The text of a file is changed between reading and running it, so nothing on disk changes and two mutants can run side by side. Node
 * hands the preload on to worker threads.
 */
import { registerHooks } from "node:module";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { guardedTwice } from "./catalogue/guarded-twice.ts";
import { mutants } from "./catalogue/index.ts";
import { edited, editsOf, mutantVariable, plantedMark } from "./mutant.ts";

const rootFolder = fileURLToPath(new URL("../..", import.meta.url));
const name = process.env[mutantVariable];
const mutant = [...mutants, ...guardedTwice].find((one) => one.name === name);
if (mutant === undefined) throw new Error(`${mutantVariable} names no mutant: ${name ?? "(not set)"}`);
const edits = editsOf(mutant);

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const path = pathOf(url);
    const wanted = edits.filter(({ file }) => file === path);
    if (wanted.length === 0 || loaded.source === undefined || loaded.source === null) return loaded;
    const text = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
    process.stderr.write(`${plantedMark} ${path}\n`);
    return { ...loaded, source: wanted.reduce(edited, text) };
  },
});

/** From the root of the repository, with slashes; undefined for what is no file. */
function pathOf(url: string): string | undefined {
  return url.startsWith("file:") ? relative(rootFolder, fileURLToPath(url)).replaceAll(sep, "/") : undefined;
}
