/**
 * A value that must not be printed by accident: card numbers, security codes, keys.
 *
 * It is held in bytes (a string cannot be wiped), prints as a mask everywhere, and is opened by name only.
 */
import { inspect } from "node:util";

/**
 * `length` zero bytes for a secret, outside of the engine's heap.
 *
 * An array of at most 64 bytes that is made in another way, a Buffer too, lies inside the heap, where the collector copies it about and leaves
 * behind what `wipe` does not reach.
 */
export function makeSecretBytes(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length));
}

export class Secret {
  readonly #bytes: Uint8Array;
  readonly #mask: string;

  /** Takes ownership of `bytes`. `mask` is what prints show: at most BIN and last four of a card number (PCI DSS 3.4.1). */
  constructor(bytes: Uint8Array, mask = "[secret]") {
    this.#bytes = bytes;
    this.#mask = mask;
  }

  /** The bytes themselves, not a copy. The caller must not keep them. */
  expose(): Uint8Array {
    return this.#bytes;
  }

  /** Overwrites the bytes with zeros. Safe to repeat. */
  wipe(): void {
    this.#bytes.fill(0);
  }

  toString(): string {
    return this.#mask;
  }

  toJSON(): string {
    return this.#mask;
  }

  [inspect.custom](): string {
    return this.#mask;
  }
}
