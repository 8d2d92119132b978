/**
 * Security codes between tokenization and the first authorization: in memory only, given out once.
 *
 * PCI DSS 3.3.1 and 3.3.2: never on disk, strongly encrypted while it waits, gone when it was used. Each code is sealed under a key that this
 * process made at its start and that nobody else has, waits at most 15 minutes, and is wiped when it is given out, expires or is pushed
 * out by newer ones. So a restart forgets all codes, and a code is known only to the process that took the card: a payment without its
 * code is still a payment.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { Secret } from "@florin/kernel";

const lifeMs = 900_000;
const sweepPeriodMs = 15_000;
const codesMaxDefault = 50_000;
const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const options = { authTagLength: 16 } as const;

type SealedCode = { readonly bytes: Buffer; readonly tag: Buffer; readonly nonce: Buffer; readonly expiresAtMs: number };

export interface SecurityCodes {
  /** Keeps a code for a token. Does not wipe `code`. */
  keep(token: string, code: Secret): void;
  /** The code, once; undefined when there is none (any more). Synchronous, so two callers never get the same code. */
  take(token: string): Secret | undefined;
  /** Wipes the code of a token that is no more. */
  forget(token: string): void;
  readonly size: number;
  /** Wipes everything. */
  close(): void;
}

/** `now`: milliseconds, monotonic. When `codesMax` codes wait, the oldest is wiped for a new one. */
export function createSecurityCodes(o: { now: () => number; codesMax?: number }): SecurityCodes {
  const { now, codesMax = codesMaxDefault } = o;
  const key: KeyObject = createSecretKey(randomBytes(32));
  // Insertion order is order of expiry: every code lives equally long.
  const codes = new Map<string, SealedCode>();
  let sealCount = 0n;

  const forget = (token: string, { bytes, tag }: SealedCode): void => {
    bytes.fill(0);
    tag.fill(0);
    codes.delete(token);
  };
  const sweep = (): void => {
    const nowMs = now();
    for (const [token, code] of codes) {
      if (code.expiresAtMs > nowMs) return;
      forget(token, code);
    }
  };
  const sweeper = setInterval(sweep, sweepPeriodMs).unref();

  return {
    keep(token, code) {
      const old = codes.get(token);
      if (old !== undefined) forget(token, old);
      const [oldest] = codes;
      if (codes.size >= codesMax && oldest !== undefined) forget(...oldest);
      // The key dies with this process, so a counter never repeats.
      const nonce = Buffer.alloc(nonceBytes);
      nonce.writeBigUInt64BE(++sealCount, nonceBytes - 8);
      const cipher = createCipheriv(algorithm, key, nonce, options).setAAD(Buffer.from(token, "latin1"));
      const bytes = cipher.update(code.expose());
      cipher.final();
      codes.set(token, { bytes, tag: cipher.getAuthTag(), nonce, expiresAtMs: now() + lifeMs });
    },
    take(token) {
      const code = codes.get(token);
      if (code === undefined) return undefined;
      const isFresh = code.expiresAtMs > now();
      const opened = isFresh ? openCode(key, token, code) : undefined;
      forget(token, code);
      return opened;
    },
    forget(token) {
      const code = codes.get(token);
      if (code !== undefined) forget(token, code);
    },
    get size() {
      return codes.size;
    },
    close() {
      clearInterval(sweeper);
      for (const entry of codes) forget(...entry);
    },
  };
}

function openCode(key: KeyObject, token: string, { bytes, tag, nonce }: SealedCode): Secret {
  const decipher = createDecipheriv(algorithm, key, nonce, options).setAAD(Buffer.from(token, "latin1")).setAuthTag(tag);
  const plain = decipher.update(bytes);
  decipher.final();
  return new Secret(plain, "[security code]");
}
