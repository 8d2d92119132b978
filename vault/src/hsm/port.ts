/**
 * The port to what guards the key-encryption keys (KEKs): a hardware security module in production, a stand-in in the sandbox.
 *
 * A KEK never crosses this port. Data keys cross it wrapped (AES key wrap, RFC 3394: 32 bytes become 40) and, once unwrapped, live in
 * this process as key objects, because a module does some thousand operations a second and the vault opens fifty thousand cards: no payment
 * waits for the module. One KEK wraps; older ones still unwrap until every data key was rewrapped.
 *
 * The module also remembers the generation of the key ring, a number that only rises. It lies outside of the database, so a database that was
 * set back to an older state is noticed (app/key-ring.ts).
 *
 * Every adapter passes conformance.ts. All adapters write the same bytes for the same keys, so a deployment can move from one to another.
 */

export type WrappedKey = {
  /** 40 bytes. */
  readonly bytes: Uint8Array;
  /** Which KEK wrapped it. */
  readonly kekId: string;
};

export interface Hsm {
  /** Names the KEK that `wrapKey` uses. Not secret. */
  readonly kekId: string;
  /** Wraps a key of 32 bytes. Does not keep or wipe it. Rejects with AppError unavailable when the module is away. */
  wrapKey(key: Uint8Array): Promise<WrappedKey>;
  /**
   * The 32 bytes of a wrapped key; the caller wipes them. Rejects with AppError: internal (not_done) when the KEK is unknown or a bit was
   * changed, unavailable when the module is away.
   */
  unwrapKey(wrapped: WrappedKey): Promise<Buffer>;
  /** Bytes from the module's random generator. */
  randomBytes(length: number): Promise<Buffer>;
  /** The highest generation ever given to `raiseGeneration`; 0 when there was none. */
  readGeneration(): Promise<number>;
  /** Remembers a generation beyond the life of this process. A lower one than the remembered changes nothing. Safe to repeat and to call from many processes. */
  raiseGeneration(generation: number): Promise<void>;
  close(): Promise<void>;
}

/** A KEK as the inventory shows it. */
export type KekFacts = {
  readonly label: string;
  readonly kekId: string;
  /** False when it was retired: it unwraps, and wraps no more. */
  readonly canWrap: boolean;
  /** True when the module made it; false when it was brought in shares. */
  readonly isMadeInModule: boolean;
};

/** What custodians do with the KEKs of a module. Never used by the vault process itself. All reject with AppError as `Hsm` does. */
export interface KekCustody {
  /** Every key of the token that can unwrap. */
  list(): Promise<readonly KekFacts[]>;
  /** Makes a KEK that cannot leave the module. Rejects when the label is taken. */
  create(label: string): Promise<KekFacts>;
  /** Brings in a KEK of 32 bytes and wipes them here. From then on it cannot leave the module. Rejects when the label is taken. */
  importKey(label: string, key: Uint8Array): Promise<KekFacts>;
  /** From now on the KEK unwraps only. Safe to repeat. */
  retire(label: string): Promise<KekFacts>;
  /** Destroys a retired KEK for ever: what it wrapped is lost. */
  destroy(label: string): Promise<void>;
  close(): Promise<void>;
}
