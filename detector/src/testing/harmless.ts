/** What is no card number and stands everywhere in logs and databases: ids, hashes, times, amounts. By kind, each made anew from the seed. */
import { type IdKind, idPrefixes, makeId } from "@florin/kernel";
import type { Seeded } from "./seeded.ts";

const crockford = "0123456789abcdefghjkmnpqrstvwxyz";
const nowMs = (random: Seeded): number => 1_700_000_000_000 + random.integer(300_000_000) * 1_000 + random.integer(1_000);
const base32 = (random: Seeded, length: number): string => Array.from({ length }, () => crockford[random.integer(32)]).join("");
const hex = (random: Seeded, bytes: number): string => random.bytes(bytes).toString("hex");
const idKinds = Object.keys(idPrefixes) as readonly IdKind[];

function uuid(random: Seeded, version: 4 | 7): string {
  const bytes = random.bytes(16);
  if (version === 7) bytes.writeUIntBE(nowMs(random), 0, 6);
  bytes[6] = ((bytes[6] as number) & 15) | (version << 4);
  bytes[8] = ((bytes[8] as number) & 63) | 128;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Retrieval reference number: year's last digit, day of the year, hour, then a count (ISO 8583 DE 37). */
const rrn = (random: Seeded): string =>
  `${random.integer(10)}${String(1 + random.integer(366)).padStart(3, "0")}${String(random.integer(24)).padStart(2, "0")}${random.digits(6)}`;

export const harmless: Readonly<Record<string, (random: Seeded) => string>> = {
  "own id": (random) => makeId(random.pick(idKinds), nowMs(random), random.bytes(10)),
  token: (random) => `tok_${base32(random, 26)}`,
  "secret key": (random) => `sk_test_${base32(random, 16)}_${base32(random, 32)}`,
  "uuid 4": (random) => uuid(random, 4),
  "uuid 7": (random) => uuid(random, 7),
  "uuid without dashes": (random) => uuid(random, 4).replaceAll("-", ""),
  ulid: (random) => base32(random, 26).toUpperCase().replace(/^./, "0"),
  traceparent: (random) => `00-${hex(random, 16)}-${hex(random, 8)}-0${random.integer(2)}`,
  "trace id": (random) => hex(random, 16),
  sha256: (random) => hex(random, 32),
  "base64 of 32 bytes": (random) => random.bytes(32).toString("base64"),
  milliseconds: (random) => String(nowMs(random)),
  microseconds: (random) => `${nowMs(random)}${random.digits(3)}`,
  nanoseconds: (random) => `${nowMs(random)}${random.digits(6)}`,
  "iso time": (random) => new Date(nowMs(random)).toISOString(),
  amount: (random) => String(random.integer(999_999_999_999)),
  stan: (random) => random.digits(6),
  rrn,
  "last four and bin": (random) => `{"bin":"${random.digits(8)}","last4":"${random.digits(4)}"}`,
  float: (random) => String(random.integer(2 ** 32) / 2 ** 32),
};

/** Sixteen hex characters on their own. One in two thousand has digits only, and then nothing tells it from a number. */
export const bareSpanId = (random: Seeded): string => hex(random, 8);
