/**
 * Where the software adapter remembers the generation of the key ring: one number in one file, for it has no module to keep it in.
 *
 * A stand-in, like the adapter: who can set back the database may be able to set back this file. Without a path the number lives as long as
 * the process.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";

export interface GenerationMemory {
  read(): number;
  raise(generation: number): void;
}

/** `path`: empty for memory only. A file that holds no number throws: better no start than a forgotten generation. */
export function createGenerationMemory(path: string): GenerationMemory {
  let known = 0;
  const read = (): number => {
    if (path !== "") known = Math.max(known, readNumber(path));
    return known;
  };
  return {
    read,
    raise(generation) {
      if (generation <= read()) return;
      known = generation;
      if (path === "") return;
      // Whole or not at all: a torn number would lock the vault out.
      const draft = `${path}.${process.pid}`;
      writeFileSync(draft, `${generation}\n`, { mode: 0o600, flush: true });
      renameSync(draft, path);
    },
  };
}

function readNumber(path: string): number {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return 0;
    throw thrown;
  }
  if (!/^[0-9]{1,15}$/.test(text)) throw new Error(`${path} holds no generation of the key ring`);
  return Number(text);
}
