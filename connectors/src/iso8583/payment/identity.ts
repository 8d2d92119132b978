/**
 * What a message is known by at a processor, as a function of our references alone: trace number (DE 11), retrieval reference (37) and time of
 * transmission (7) of its own, terminal (41) of the authorization that it belongs to. Of an authorization that is the same reference.
 *
 * So whoever sends an operation again, or reverses it, gives the same identity, after a crash too and from another process, and nothing has to
 * be stored here for it (docs/decisions/0009). Two references may share a trace number at one terminal: then they differ in the retrieval
 * reference, and the second waits until the first is no longer under way. The time is the reference's own, in UTC.
 */
import { createHash } from "node:crypto";
import { assert, idPrefixes, idTimeMs } from "@florin/kernel";
import { transmissionTime } from "../link/network-messages.ts";
import { formatStan } from "../link/trace-numbers.ts";

export type MessageIdentity = {
  readonly stan: string;
  /** Of the authorization with this reference, and of all that is about it. */
  readonly terminal: string;
  /** Last digit of the year, day of the year, and eight letters and digits. */
  readonly retrievalReference: string;
  /** MMDDhhmmss. */
  readonly transmission: string;
  /** When the reference was made, ms since the epoch. */
  readonly atMs: number;
};

const stanCount = 999_999;
const tailCount = 36 ** 8;

/** `terminals`: the same list, in the same order, in every process that speaks to the processor. */
export function identityOf(reference: string, terminals: readonly string[]): MessageIdentity {
  assert(terminals.length > 0, "a processor knows us by at least one terminal");
  const digest = createHash("sha256").update(reference).digest();
  const atMs = timeIn(reference);
  const at = new Date(atMs);
  const day = Math.floor(
    (Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()) - Date.UTC(at.getUTCFullYear(), 0, 0)) / 86_400_000,
  );
  const tail = (digest.readUIntBE(8, 6) % tailCount).toString(36).toUpperCase().padStart(8, "0");
  return {
    stan: formatStan(1 + (digest.readUInt32BE(0) % stanCount)),
    terminal: terminals[digest.readUInt32BE(4) % terminals.length] as string,
    retrievalReference: `${at.getUTCFullYear() % 10}${String(day).padStart(3, "0")}${tail}`,
    transmission: transmissionTime(atMs),
    atMs,
  };
}

const kinds = Object.keys(idPrefixes) as (keyof typeof idPrefixes)[];

function timeIn(reference: string): number {
  const kind = kinds.find((one) => reference.startsWith(`${idPrefixes[one]}_`));
  assert(kind !== undefined, "a reference is one of our ids");
  return idTimeMs(reference);
}
