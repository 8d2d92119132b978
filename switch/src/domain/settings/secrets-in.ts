/** Looks through a whole document, known fields or not, for what must never be stored: secrets and card numbers, as values and as names. */
import { depthMax } from "./bounds.ts";
import { looksSecret } from "./secret-reference.ts";

/** Paths of what was found; a path never holds a name that was itself found. Deeper than `depthMax` nothing is accepted, so nobody looks. */
export function secretsIn(json: unknown): readonly string[] {
  const found: string[] = [];
  const walk = (value: unknown, path: string, depth: number): void => {
    if (depth > depthMax) return;
    if (typeof value === "string" || typeof value === "number") {
      if (looksSecret(String(value))) found.push(path);
    } else if (Array.isArray(value)) {
      for (const [index, one] of value.entries()) walk(one, `${path}[${index}]`, depth + 1);
    } else if (typeof value === "object" && value !== null) {
      for (const [name, one] of Object.entries(value)) {
        const isPlain = /^[A-Za-z_$][\w-]{0,63}$/.test(name) && !looksSecret(name);
        if (looksSecret(name)) found.push(path);
        walk(one, isPlain ? `${path}${path === "" ? "" : "."}${name}` : `${path}[?]`, depth + 1);
      }
    }
  };
  walk(json, "", 0);
  return found;
}

/** True when lists and objects stand in one another deeper than any document may. Bounded by that depth itself. */
export function isTooDeep(json: unknown, depth = 0): boolean {
  if (typeof json !== "object" || json === null) return false;
  return depth >= depthMax || Object.values(json).some((one) => isTooDeep(one, depth + 1));
}
