/**
 * A test that proves what a document says, named by its file and a part of its title. It has to be there: a sentence whose test is gone does not
 * stay printed.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rootFolder } from "../root-folder.ts";

export type Proof = { readonly file: string; readonly title: string };

export const proof = (file: string, title: string): Proof => ({ file, title });

/** Links for a table; `up` leads from the document to the root: "..". Throws an Error for a test that is not there. */
export function renderProofs(proofs: readonly Proof[], up: string): string {
  return proofs.map((one) => linkOf(one, up)).join("; ");
}

function linkOf({ file, title }: Proof, up: string): string {
  if (!readFileSync(join(rootFolder, file), "utf8").includes(title)) throw new Error(`${file} has no test "${title}" any more`);
  const name = file.slice(0, file.indexOf("/"));
  return `[${title}](${up}/${file}) (${name})`;
}
