/**
 * The port to what guards the key-encryption key (KEK): a hardware security module in production, a stand-in in the sandbox.
 *
 * The KEK never crosses this port. Data keys cross it wrapped (AES key wrap, RFC 3394: 32 bytes become 40) and, once unwrapped, live in
 * this process as key objects, because a module does some thousand operations a second and the vault opens fifty thousand cards.
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
   * The 32 bytes of a wrapped key; the caller wipes them. Rejects with AppError: internal (not_done) when the KEK is another one or a bit was
   * changed, unavailable when the module is away.
   */
  unwrapKey(wrapped: WrappedKey): Promise<Buffer>;
  /** Bytes from the module's random generator. */
  randomBytes(length: number): Promise<Buffer>;
  close(): Promise<void>;
}
