/**
 * Security codes and PIN blocks between tokenization and the first authorization: in memory only, given out once.
 *
 * A PIN block is encrypted already, by the device that took the PIN under a key of the processor's; here it is bytes that nobody looks into.
 *
 * PCI DSS 3.3.1 and 3.3.2 (3.3.1.3 for PIN blocks, encrypted or not): never on disk, strongly encrypted while it waits, gone when it was used. Each code is sealed under a key that this
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

const kinds = { code: "[security code]", pin: "[PIN block]" } as const;
type Kind = keyof typeof kinds;
type SealedCode = { readonly bytes: Buffer; readonly tag: Buffer; readonly nonce: Buffer; readonly expiresAtMs: number };

export interface SecurityCodes {
  /** Keeps a code for a token. Does not wipe `code`. */
  keep(token: string, code: Secret): void;
  /** The code, once; undefined when there is none (any more). Synchronous, so two callers never get the same code. */
  take(token: string): Secret | undefined;
  /** The same for a PIN block. */
  keepPin(token: string, pin: Secret): void;
  takePin(token: string): Secret | undefined;
  /** Wipes what is kept for a token that is no more. */
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

  const forget = (name: string, { bytes, tag }: SealedCode): void => {
    bytes.fill(0);
    tag.fill(0);
    codes.delete(name);
  };
  const nameOf = (kind: Kind, token: string): string => `${kind} ${token}`;
  const sweep = (): void => {
    const nowMs = now();
    for (const [name, code] of codes) {
      if (code.expiresAtMs > nowMs) return;
      forget(name, code);
    }
  };
  const sweeper = setInterval(sweep, sweepPeriodMs).unref();

  const keep = (kind: Kind, token: string, secret: Secret): void => {
    const name = nameOf(kind, token);
    const old = codes.get(name);
    if (old !== undefined) forget(name, old);
    const [oldest] = codes;
    if (codes.size >= codesMax && oldest !== undefined) forget(...oldest);
    // The key dies with this process, so a counter never repeats.
    const nonce = Buffer.alloc(nonceBytes);
    nonce.writeBigUInt64BE(++sealCount, nonceBytes - 8);
    const cipher = createCipheriv(algorithm, key, nonce, options).setAAD(Buffer.from(name, "latin1"));
    const bytes = cipher.update(secret.expose());
    cipher.final();
    codes.set(name, { bytes, tag: cipher.getAuthTag(), nonce, expiresAtMs: now() + lifeMs });
  };
  const take = (kind: Kind, token: string): Secret | undefined => {
    const name = nameOf(kind, token);
    const code = codes.get(name);
    if (code === undefined) return undefined;
    const isFresh = code.expiresAtMs > now();
    const opened = isFresh ? openCode(key, { name, kind }, code) : undefined;
    forget(name, code);
    return opened;
  };

  return {
    keep: (token, code) => keep("code", token, code),
    take: (token) => take("code", token),
    keepPin: (token, pin) => keep("pin", token, pin),
    takePin: (token) => take("pin", token),
    forget(token) {
      for (const kind of Object.keys(kinds) as Kind[]) {
        const name = nameOf(kind, token);
        const code = codes.get(name);
        if (code !== undefined) forget(name, code);
      }
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

function openCode(key: KeyObject, { name, kind }: { name: string; kind: Kind }, { bytes, tag, nonce }: SealedCode): Secret {
  const decipher = createDecipheriv(algorithm, key, nonce, options).setAAD(Buffer.from(name, "latin1")).setAuthTag(tag);
  const plain = decipher.update(bytes);
  decipher.final();
  return new Secret(plain, kinds[kind]);
}
