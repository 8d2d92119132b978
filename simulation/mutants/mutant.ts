/**
 * A planted bug: one small change of real code that must never be made, and that the simulation has to notice.
 *
 * The code itself knows nothing of it. The change is made while a file is loaded (plant-mutant.ts), in a process of its own.
 */

/** One replacement. `find` occurs exactly once in `file` (from the root of the repository); mutants.test.ts sees to it. */
export type Edit = { readonly file: string; readonly find: string; readonly replace: string };

export type Mutant = Edit & {
  /** kebab-case, for the table and the command line. */
  readonly name: string;
  /** What the bug is, in the words in which somebody would have made it. */
  readonly about: string;
  /** More edits, where the bug is one only together with them: code that is guarded twice. */
  readonly and?: readonly Edit[];
};

/** The setting that names the mutant to a process. */
export const mutantVariable = "FLORIN_SIMULATION_MUTANT";
/** Written to standard error once per process and edited file: a mutant whose file is never loaded proves nothing. */
export const plantedMark = "planted:";

export function editsOf(mutant: Mutant): readonly Edit[] {
  return [mutant, ...(mutant.and ?? [])];
}

/** The text with the bug in it. Throws when `find` is not there exactly once. */
export function edited(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find);
  const [before, after] = parts;
  if (before === undefined || after === undefined || parts.length !== 2)
    throw new Error(`${file} holds the text to replace ${parts.length - 1} times, not once:\n${find}`);
  return before + replace + after;
}
