/**
 * The key pairs for which browsers encrypt cards: made here, wrapped by the HSM, shared by all vaults through the database, replaced and destroyed by age.
 *
 * A pair is handed out for `lifeMs`, opens for an hour more, and is deleted then: whoever records what browsers send and comes by the
 * key-encryption key later has nothing to open it with. A pair that another key-encryption key wrapped, or that does not fit its name, is left
 * out and a new one is made; a page that holds the old one is refused once and asks again. So replacing the key-encryption key needs nothing here.
 */
import { createECDH, createHash, createPrivateKey, type KeyObject } from "node:crypto";
import { AppError } from "@florin/kernel";
import type { Logger } from "@florin/runtime/telemetry";
import type { Hsm } from "../hsm/port.ts";
import type { EnvelopeStore, StoredEnvelopeKey } from "../store/envelopes.ts";

export type PublicEnvelopeKey = { readonly kid: string; readonly x: string; readonly y: string };

export interface EnvelopeKeys {
  /** For whom a browser encrypts now. */
  current(): PublicEnvelopeKey;
  /** The private key of this name; undefined when there is none (any more). Asks the database for a name it does not know, at most once a second. */
  find(kid: string): KeyObject | undefined | Promise<KeyObject | undefined>;
  stop(): void;
}

type KeyPair = PublicEnvelopeKey & { readonly key: KeyObject };

type Options = {
  readonly hsm: Hsm;
  readonly store: EnvelopeStore;
  readonly lifeMs: number;
  readonly logger: Logger;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
};

/** Pages that fetched the old key just before it was replaced have so long. */
const overlapMs = 3_600_000;
const refreshEveryMs = 60_000;
const lookupEveryMs = 1_000;
const makeTriesMax = 5;
const scalarBytes = 32;
const coordinateBytes = 32;
/** PKCS #8 around a P-256 key (RFC 5208, RFC 5915), up to the private scalar, and from there to the public point. */
const pkcs8Head = Buffer.from("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420", "hex");
const pkcs8Middle = Buffer.from("a144034200", "hex");

/** Resolves when there is a key to hand out; rejects when the database or the HSM is away. */
export async function loadEnvelopeKeys(o: Options): Promise<EnvelopeKeys> {
  const ring = new EnvelopeKeyRing(o);
  await ring.refresh();
  return ring;
}

class EnvelopeKeyRing implements EnvelopeKeys {
  readonly #options: Options;
  readonly #timer: NodeJS.Timeout;
  #pairs: readonly KeyPair[] = [];
  #refreshing: Promise<void> | undefined;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: Options) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.refresh().catch((err: unknown) => options.logger.error({ err }, "envelope keys not refreshed"));
    }, refreshEveryMs);
    this.#timer.unref();
  }

  current(): PublicEnvelopeKey {
    const [pair] = this.#pairs;
    if (pair === undefined) throw new AppError("unavailable", "there is no envelope key", { work: "not_done" });
    const { kid, x, y } = pair;
    return { kid, x, y };
  }

  find(kid: string): KeyObject | undefined | Promise<KeyObject | undefined> {
    const known = this.#known(kid);
    if (known !== undefined || this.#options.now() - this.#refreshedAtMs < lookupEveryMs) return known;
    return this.refresh().then(() => this.#known(kid));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Callers at one time share the question. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
      this.#refreshedAtMs = this.#options.now();
    });
    return this.#refreshing;
  }

  #known(kid: string): KeyObject | undefined {
    return this.#pairs.find((pair) => pair.kid === kid)?.key;
  }

  async #refresh(): Promise<void> {
    const { store, lifeMs } = this.#options;
    for (let tries = 0; tries < makeTriesMax; tries++) {
      const stored = await store.listKeys();
      const pairs = await this.#open(stored.filter(({ ageMs }) => ageMs < lifeMs + overlapMs));
      const newest = stored[0];
      if (newest !== undefined && newest.ageMs < lifeMs && newest.kid === pairs[0]?.kid) {
        this.#pairs = pairs;
        return store.deleteKeys(lifeMs + overlapMs);
      }
      await this.#make((newest?.generation ?? 0) + 1);
    }
    throw new AppError("unavailable", "no envelope key can be had", { work: "not_done" });
  }

  /** Those that are ours and whole; a pair that was opened before is not unwrapped again. */
  async #open(stored: readonly StoredEnvelopeKey[]): Promise<readonly KeyPair[]> {
    const { hsm, logger } = this.#options;
    const pairs: KeyPair[] = [];
    for (const { kid, kekId, wrappedKey } of stored) {
      const known = this.#pairs.find((pair) => pair.kid === kid);
      if (known !== undefined) pairs.push(known);
      else if (kekId === hsm.kekId) {
        const pair = await unwrapPair(hsm, { kekId, bytes: wrappedKey }).catch(faultOnly);
        if (pair?.kid === kid) pairs.push(pair);
        else logger.error({ kid }, "an envelope key is not what its name says and is left out");
      }
    }
    return pairs;
  }

  async #make(generation: number): Promise<void> {
    const { hsm, store } = this.#options;
    const scalar = await hsm.randomBytes(scalarBytes);
    try {
      const { kid } = pairOf(scalar);
      const { bytes, kekId } = await hsm.wrapKey(scalar);
      await store.addKey({ generation, kid, wrappedKey: bytes, kekId });
    } finally {
      scalar.fill(0);
    }
  }
}

/** A key that does not unwrap is left out; a module that is away is a fault. */
function faultOnly(thrown: unknown): undefined {
  if (thrown instanceof AppError && thrown.code === "internal") return undefined;
  throw thrown;
}

async function unwrapPair(hsm: Hsm, wrapped: { readonly bytes: Uint8Array; readonly kekId: string }): Promise<KeyPair> {
  const scalar = await hsm.unwrapKey(wrapped);
  try {
    return pairOf(scalar);
  } finally {
    scalar.fill(0);
  }
}

/** The key pair of a private scalar. Throws when it is none (0, or at least the order of the curve: one in 2^32 of random ones). */
function pairOf(scalar: Buffer): KeyPair {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(scalar);
  const point = ecdh.getPublicKey();
  const der = Buffer.concat([pkcs8Head, scalar, pkcs8Middle, point]);
  try {
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const x = point.subarray(1, 1 + coordinateBytes).toString("base64url");
    const y = point.subarray(1 + coordinateBytes).toString("base64url");
    return { key, x, y, kid: thumbprintOf(x, y) };
  } finally {
    der.fill(0);
  }
}

/** RFC 7638: the members of the public key in the order of their names. */
function thumbprintOf(x: string, y: string): string {
  return createHash("sha256")
    .update(JSON.stringify({ crv: "P-256", kty: "EC", x, y }))
    .digest("base64url");
}
