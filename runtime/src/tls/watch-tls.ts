/**
 * A TLS setting that follows its folder: certificates are rotated, and lists of revoked ones replaced, without a restart.
 *
 * The files are looked at every few seconds (a mounted secret is swapped under a link, which file events miss). What does not fit together, is
 * expired or names somebody else is left alone and logged; the values before it go on. Deliberately not here: what connections do with the new
 * values (rpc).
 */
import { X509Certificate } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import type { Logger } from "../telemetry/index.ts";
import { peerIdentityOf } from "./identity.ts";
import { filesOf, type MutualTls, readFolder, type TlsSetting } from "./load-tls.ts";
import { readRevokedSerials } from "./revocation.ts";
import { contextOf } from "./secure-context.ts";

const periodMsDefault = 5_000;
/** So long before its end a certificate that was not replaced is complained of, once a day. */
const warnBeforeMs = 7 * 86_400_000;
const warnEveryMs = 86_400_000;

export type WatchOptions = {
  readonly directoryOrOff: string;
  readonly name: string;
  readonly logger: Logger;
  /** How often the files are looked at (ms, default 5,000). */
  readonly periodMs?: number;
};

export type WatchedTls = { readonly tls: TlsSetting; stop(): void };

/** Throws an Error when the folder cannot be used now. The timer does not keep a process alive. */
export function watchTls(o: WatchOptions): WatchedTls {
  if (o.directoryOrOff === "off") return { tls: { kind: "off" }, stop: () => {} };
  const folder = new TlsFolder(o);
  const timer = setInterval(() => folder.look(), o.periodMs ?? periodMsDefault).unref();
  return { tls: folder, stop: () => clearInterval(timer) };
}

class TlsFolder implements MutualTls {
  readonly kind = "mutual";
  readonly name: string;
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();
  #values: MutualTls;
  /** The state of the files that was last looked into, whatever came of it. */
  #seen: string;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(o: WatchOptions) {
    this.name = o.name;
    this.#directory = o.directoryOrOff;
    this.#logger = o.logger;
    this.#seen = this.#state();
    this.#values = usable(readFolder(o.directoryOrOff, o.name));
    this.#warn();
  }

  get ca(): Buffer {
    return this.#values.ca;
  }
  get certificate(): Buffer {
    return this.#values.certificate;
  }
  get key(): Buffer {
    return this.#values.key;
  }
  get crl(): Buffer | undefined {
    return this.#values.crl;
  }

  readonly onChange = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  look(): void {
    this.#warn();
    const state = this.#state();
    if (state === this.#seen) return;
    this.#seen = state;
    try {
      this.#values = usable(readFolder(this.#directory, this.name));
    } catch (err) {
      // Files that are replaced one after the other do not fit for a moment: the next look finds them whole.
      this.#logger.warn({ err, directory: this.#directory }, "new certificates cannot be used, the ones before stay");
      return;
    }
    this.#logger.info(
      { not_after: new X509Certificate(this.certificate).validTo, has_crl: this.crl !== undefined },
      "certificates renewed",
    );
    this.#warnedAtMs = Number.NEGATIVE_INFINITY;
    for (const listener of this.#listeners) listener();
  }

  #state(): string {
    const stateOf = (file: string): string => {
      const found = statSync(join(this.#directory, file), { throwIfNoEntry: false });
      return found === undefined ? "-" : `${found.ino}:${found.size}:${found.mtimeMs}`;
    };
    return filesOf(this.name).map(stateOf).join(" ");
  }

  #warn(): void {
    const leftMs = Date.parse(new X509Certificate(this.certificate).validTo) - Date.now();
    if (leftMs > warnBeforeMs || performance.now() - this.#warnedAtMs < warnEveryMs) return;
    this.#warnedAtMs = performance.now();
    this.#logger.warn({ hours_left: Math.floor(leftMs / 3_600_000), name: this.name }, "the certificate of this process ends soon");
  }
}

/** Throws an Error that says what does not fit. */
function usable(values: MutualTls): MutualTls {
  const certificate = new X509Certificate(values.certificate);
  createSecureContext(contextOf(values));
  const legacy = certificate.toLegacyObject();
  if (peerIdentityOf(legacy) !== values.name) throw new Error(`${values.name}.pem does not name ${values.name}`);
  if (Date.parse(certificate.validTo) <= Date.now()) throw new Error(`${values.name}.pem is expired`);
  readRevokedSerials(values.crl);
  return values;
}
