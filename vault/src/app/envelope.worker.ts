/**
 * Opens envelopes in a worker thread: the one place where `jose` runs, with one algorithm and one encryption allowed.
 *
 * The card goes into memory that the loop shares and wipes, and nothing else of it comes back: no string, no copy in a message. Whatever goes
 * wrong is one refusal.
 */
import type { KeyObject } from "node:crypto";
import { workerTask } from "@florin/runtime/workers";
import { compactDecrypt } from "jose";
import { envelopeAlgorithm, envelopeEncryption, envelopeRefused } from "../domain/envelope.ts";

export type EnvelopeMember = {
  readonly envelope: Uint8Array;
  readonly kid: string;
  readonly key: KeyObject;
  /** Takes the card. */
  readonly plaintext: SharedArrayBuffer;
};

const options = { keyManagementAlgorithms: [envelopeAlgorithm], contentEncryptionAlgorithms: [envelopeEncryption] };
/** WebCrypto works in the engine's own threads; so many are under way at once. */
const membersAtOnce = 16;
const keysMax = 8;
type ImportedKey = Awaited<ReturnType<KeyObject["toCryptoKey"]>>;
const imported = new Map<string, ImportedKey>();

/** Answers the length of the plaintext. */
export const run = workerTask(
  async ({ envelope, kid, key, plaintext }: EnvelopeMember): Promise<number> => {
    const opened = await compactDecrypt(envelope, importedKey(kid, key), options).catch(() => undefined);
    if (opened === undefined || opened.plaintext.length > plaintext.byteLength) throw envelopeRefused();
    new Uint8Array(plaintext).set(opened.plaintext);
    const { length } = opened.plaintext;
    opened.plaintext.fill(0);
    return length;
  },
  { membersAtOnce },
);

/** Every member brings a handle of its own; the import behind it is done once. */
function importedKey(kid: string, key: KeyObject): ImportedKey {
  const known = imported.get(kid);
  if (known !== undefined) return known;
  if (imported.size >= keysMax) imported.clear();
  const made = key.toCryptoKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
  imported.set(kid, made);
  return made;
}
