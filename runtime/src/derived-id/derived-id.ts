import { hash } from "node:crypto";
import { type IdKind, idTimeMs, makeId } from "@florin/kernel";

/**
 * The one id of `kind` that belongs to the thing with the id `from`: of the same time, with other bits. Who makes it, in whichever process and however
 * often, makes the same one, so that what has this id is done once. Pure.
 */
export function derivedId(kind: IdKind, from: string): string {
  return makeId(kind, idTimeMs(from), hash("sha256", from, "buffer"));
}
