/**
 * The connectors' keys while they work: resolves the references of the newest settings and exchanges what has changed.
 *
 * Invariants: an older version changes nothing; what cannot be resolved leaves the key as it is and is told by name, log, metric and health;
 * a secret that is named no more is again the one that the process was started with. Nothing here shows a value, and nothing is remembered over a
 * restart: the switch tells again.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Secret } from "@florin/kernel";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import type { Registry } from "../registry.ts";
import type { ReadSecret, SecretFault } from "./secret-source.ts";

export type SecretReference = { readonly processor: string; readonly name: string; readonly reference: string };

export type SecretDesk = {
  /** The references of one version, all of them. One at a time, in the order of the calls. Safe to repeat: everything is read again. */
  apply(version: number, references: readonly SecretReference[]): Promise<void>;
  /** The newest that was told; 0 before. */
  readonly version: number;
  /** References of it that could not be resolved. */
  readonly unresolved: number;
};

/** Less than the switch waits for all. */
const readTimeoutMs = 2_000;

type Fault = SecretFault | "no_such_connector" | "not_exchangeable" | "refused_by_connector";

export function createSecretDesk(o: {
  readonly registry: Registry;
  readonly read: ReadSecret;
  readonly metrics: Metrics;
  readonly logger: Logger;
}): SecretDesk {
  let version = 0;
  let last: Promise<void> = Promise.resolve();
  /** Digests of the keys in use that came by a reference, by processor and name. */
  const inUse = new Map<string, { readonly one: SecretReference; readonly digest: Buffer }>();
  let faults: ReadonlyMap<string, Fault> = new Map();
  o.metrics.gauge("connectors_secrets_version", () => version);
  o.metrics.gauge("connectors_secrets_unresolved", () => faults.size);

  const giveBack = (one: SecretReference): void => {
    o.registry.get(one.processor)?.rotateSecret?.(one.name, undefined);
    inUse.delete(keyOf(one));
    o.logger.info({ processor: one.processor, key_name: one.name }, "a processor's key is again the one of the start");
  };
  const read = async (one: SecretReference): Promise<Secret | Fault> => {
    const connector = o.registry.get(one.processor);
    if (connector === undefined) return "no_such_connector";
    return connector.rotateSecret === undefined ? "not_exchangeable" : inTime(o.read(one.reference));
  };
  const exchange = (one: SecretReference, secret: Secret): Fault | undefined => {
    const digest = createHash("sha256").update(secret.expose()).digest();
    const before = inUse.get(keyOf(one));
    const isNew = before === undefined || !timingSafeEqual(before.digest, digest);
    const isTaken = !isNew || o.registry.get(one.processor)?.rotateSecret?.(one.name, secret) === true;
    secret.wipe();
    if (!isTaken) return "refused_by_connector";
    inUse.set(keyOf(one), { one, digest });
    if (isNew)
      o.logger.info({ processor: one.processor, key_name: one.name, settings_version: version }, "a processor's key was exchanged");
    return undefined;
  };
  const applyNext = async (next: number, references: readonly SecretReference[]): Promise<void> => {
    if (next < version) return;
    version = next;
    const named = new Set(references.map(keyOf));
    for (const { one } of [...inUse.values()]) if (!named.has(keyOf(one))) giveBack(one);
    const found = new Map<string, Fault>();
    const secrets = await Promise.all(references.map(async (one) => ({ one, secret: await read(one) })));
    for (const { one, secret } of secrets) {
      const fault = typeof secret === "string" ? secret : exchange(one, secret);
      if (fault === undefined) continue;
      found.set(keyOf(one), fault);
      if (faults.get(keyOf(one)) !== fault)
        o.logger.warn(
          { processor: one.processor, key_name: one.name, cause: fault },
          "a reference to a secret cannot be resolved; the key stays",
        );
    }
    faults = found;
  };
  return {
    apply(next, references) {
      const done = last.then(() => applyNext(next, references));
      last = done.catch(() => {});
      return done;
    },
    get version() {
      return version;
    },
    get unresolved() {
      return faults.size;
    },
  };
}

/** A folder on a network that is away hangs its readers; the next to be told must not wait behind them. */
async function inTime(read: Promise<Secret | SecretFault>): Promise<Secret | SecretFault> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<SecretFault>((resolve) => {
    timer = setTimeout(resolve, readTimeoutMs, "unreadable");
  });
  try {
    return await Promise.race([read, late]);
  } finally {
    clearTimeout(timer);
  }
}

function keyOf({ processor, name }: SecretReference): string {
  return `${processor}.${name}`;
}
