/**
 * A value that must not be printed by accident: card numbers, security codes, keys.
 *
 * It is held in bytes (a string cannot be wiped), prints as a mask everywhere, and is opened by name only.
 */
import { inspect } from "node:util";

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
