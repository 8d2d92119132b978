/** What the other processes may ask: what a token is, and, for connectors, the card behind it. */
import type { KeyObject } from "node:crypto";
import { AppError, assert, makeSecretBytes } from "@florin/kernel";
import { type Batcher, createBatcher } from "@florin/runtime/batch";
import type { Metrics } from "@florin/runtime/telemetry";
import { LRUCache } from "lru-cache";
import { clearDigits, type DescribedCard } from "../domain/card.ts";
import { limits } from "../domain/limits.ts";
import { decodeCard } from "../domain/sealed-card.ts";
import { type WellKnownCard, wellKnownCode, wellKnownExpiry, wellKnownTokens } from "../domain/test-cards.ts";
import { isStoredToken } from "../domain/token.ts";
import { endOfCardMs, type LifeRules, type Usage } from "../domain/token-life.ts";
import type { AccessOutcome } from "../store/access-log.ts";
import type { CardStore, Claim } from "../store/cards.ts";
import type { AccessLog } from "./access-log.ts";
import { fingerprintOf, open } from "./card-cipher.ts";
import type { CardDirectory, DirectoryEntry, SealedEntry } from "./card-directory.ts";
import type { DataKeys } from "./data-keys.ts";
import type { SecurityCodes } from "./security-codes.ts";

export type OpenedAnswer = {
  /** Bytes of this answer alone; the caller wipes them, and those of the code. */
  readonly number: Uint8Array;
  readonly expMonth: number;
  readonly expYear: number;
  /** Empty when there is none (any more). */
  readonly securityCode: Uint8Array;
  /** Eight encrypted bytes; empty when there is none (any more). The caller wipes them, too. */
  readonly pinBlock: Uint8Array;
  /** Ten bytes, or empty. */
  readonly pinKeySerialNumber: Uint8Array;
  readonly postalCode: string;
  readonly addressLine1: string;
};

type ForOnePayment = Pick<OpenedAnswer, "securityCode" | "pinBlock" | "pinKeySerialNumber">;
type Opened = Omit<OpenedAnswer, keyof ForOnePayment>;

export type OpenRequest = {
  readonly merchantId: string;
  readonly token: string;
  readonly purpose: string;
  readonly paymentId: string;
  /** Identity of the caller's certificate. */
  readonly caller: string;
};

/** Why a card stays closed. */
export type ClosedReason = "not_found" | "already_used" | "expired" | "deleted";

/** What may be told about a token. */
export type TokenDescription =
  | {
      readonly kind: "active" | "used";
      readonly card: DescribedCard;
      readonly usage: Usage;
      /** The payment that a single-use token belongs to. */
      readonly usedBy: string | undefined;
      /** Milliseconds since 1970; 0 for well-known test tokens. */
      readonly createdAtMs: number;
      readonly expiresAtMs: number;
    }
  | { readonly kind: "expired" | "deleted" };

export interface CardDesk {
  /** Undefined: this merchant has no such token in this mode. Rejects with AppError, not_done. */
  describe(merchantId: string, token: string, isLive: boolean): Promise<TokenDescription | undefined>;
  /**
   * The card, or why it stays closed. Binds a single-use token to its first payment. Leaves a record either way, or stays closed. Rejects with AppError,
   * not_done.
   */
  open(request: OpenRequest): Promise<OpenedAnswer | ClosedReason>;
  close(): Promise<void>;
}

const nothing = new Uint8Array();
const nothingMore: ForOnePayment = { securityCode: nothing, pinBlock: nothing, pinKeySerialNumber: nothing };
/** The only purpose for which a security code or a PIN block is given out (PCI DSS 3.3: it is for one authorization). */
const authorizePurpose = "authorize";
const wellKnownDescribedMax = 10_000;
const claimBatchMax = 256;
const claimQueueDepthMax = 8_192;
const claimBatchesInFlightMax = 2;
const outcomes: Readonly<Record<ClosedReason, AccessOutcome>> = {
  not_found: "not_found",
  already_used: "already_used",
  expired: "expired",
  deleted: "gone",
};

export function createCardDesk(o: {
  directory: CardDirectory;
  store: Pick<CardStore, "claim">;
  rules: Pick<LifeRules, "graceDays">;
  dataKeys: DataKeys;
  codes: SecurityCodes;
  accessLog: AccessLog;
  /** True: an answer waits until its record is committed. */
  isRecordAwaited: boolean;
  metrics: Pick<Metrics, "counter">;
  /** Milliseconds since 1970. */
  now: () => number;
}): CardDesk {
  const { directory, dataKeys, codes, accessLog } = o;
  /** Saves a keyed hash per description. */
  const wellKnownDescribed = new LRUCache<string, DescribedCard>({ max: wellKnownDescribedMax });
  const wellKnownLife = { usage: "reusable", usedBy: undefined, createdAtMs: 0 } as const;
  /** One statement for all that wait; reusable tokens never come here. */
  const claims: Batcher<Claim, string | undefined> = createBatcher({
    name: "claim-tokens",
    run: async (wanted) => (await o.store.claim(wanted)).map((value) => ({ ok: true, value })),
    batchMax: claimBatchMax,
    queueDepthMax: claimQueueDepthMax,
    concurrencyMax: claimBatchesInFlightMax,
  });
  const described = {
    ok: o.metrics.counter("vault_describe_total", { result: "ok" }),
    not_found: o.metrics.counter("vault_describe_total", { result: "not_found" }),
    fault: o.metrics.counter("vault_describe_total", { result: "fault" }),
  };
  const opened = {
    ok: o.metrics.counter("vault_detokenize_total", { result: "ok" }),
    not_found: o.metrics.counter("vault_detokenize_total", { result: "not_found" }),
    refused: o.metrics.counter("vault_detokenize_total", { result: "refused" }),
    fault: o.metrics.counter("vault_detokenize_total", { result: "fault" }),
  };

  const openSealed = (entry: SealedEntry, request: OpenRequest, key: KeyObject): Opened => {
    try {
      const { number, postalCode, addressLine1 } = decodeCard(open(key, entry.binding, entry.sealed));
      return { number, expMonth: entry.facts.expMonth, expYear: entry.facts.expYear, postalCode, addressLine1 };
    } catch (thrown) {
      record(request, "unreadable");
      throw thrown;
    }
  };

  const record = (request: OpenRequest, outcome: AccessOutcome): void => {
    const { merchantId, token, purpose, paymentId, caller } = request;
    accessLog.take({ atMs: o.now(), merchantId, token: recordable(token), caller, purpose, paymentId, actor: "", outcome });
  };

  const staysClosed = (request: OpenRequest, reason: ClosedReason): ClosedReason => {
    record(request, outcomes[reason]);
    return reason;
  };

  /** Undefined: it may be opened for this payment. Asks the database only for a single-use token that nobody has yet, as far as is known here. */
  const whyClosed = (entry: DirectoryEntry, { paymentId }: OpenRequest): ClosedReason | undefined | "unclaimed" => {
    if (entry.kind === "well_known") return undefined;
    if (entry.kind === "gone") return entry.reason;
    // Also when its time is over: a payment may have had it before, at another process.
    if (entry.usage === "single_use" && entry.usedBy === undefined) return "unclaimed";
    if (entry.expiresAtMs <= o.now()) return "expired";
    return entry.usage === "reusable" || entry.usedBy === paymentId ? undefined : "already_used";
  };

  const claim = async (entry: SealedEntry, { merchantId, token, paymentId }: OpenRequest): Promise<ClosedReason | undefined> => {
    const holder = await claims.submit({ merchantId, token, paymentId });
    if (holder !== undefined) {
      directory.claimedBy(entry, holder);
      return holder === paymentId ? undefined : "already_used";
    }
    // Deleted or expired since it was read.
    directory.forget(merchantId, token);
    const fresh = await directory.find(merchantId, token);
    return fresh?.kind === "gone" ? fresh.reason : "expired";
  };

  /** Its key is not at hand: this card was not opened here before, or a key was destroyed since. */
  const openFirst = (entry: SealedEntry, request: OpenRequest): Opened | Promise<Opened> => {
    const { version } = dataKeys;
    const key = dataKeys.openingKey(request.merchantId, entry.epoch);
    if (key instanceof Promise) return openLater(entry, request, version, key);
    return openSealed(entry, request, directory.deriveKey(entry, version, key));
  };

  /** Its epoch was new to us, or destroyed after we read the card's row and sealed it anew: then the row is read again, once. */
  const openLater = async (entry: SealedEntry, request: OpenRequest, version: number, key: Promise<KeyObject>): Promise<Opened> => {
    const { merchantId, token } = request;
    const ready = await key.catch(() => undefined);
    if (ready !== undefined) return openSealed(entry, request, directory.deriveKey(entry, version, ready));
    directory.forget(merchantId, token);
    const fresh = await directory.find(merchantId, token);
    const latest = fresh?.kind === "sealed" ? fresh : entry;
    const { version: latestVersion } = dataKeys;
    return openSealed(latest, request, directory.deriveKey(latest, latestVersion, await dataKeys.openingKey(merchantId, latest.epoch)));
  };

  const openCard = (entry: SealedEntry, request: OpenRequest): Opened | Promise<Opened> => {
    const key = directory.keyOf(entry, dataKeys.version);
    return key === undefined ? openFirst(entry, request) : openSealed(entry, request, key);
  };

  const openAndRecord = async (request: OpenRequest): Promise<OpenedAnswer | ClosedReason> => {
    const { merchantId, token, purpose } = request;
    // Before the work: while records cannot be written every card stays closed.
    if (!accessLog.isHealthy()) throw new AppError("unavailable", "access records cannot be written", { work: "not_done" });
    const found = directory.find(merchantId, token);
    const entry = found instanceof Promise ? await found : found;
    if (entry === undefined) return staysClosed(request, "not_found");
    const closed = whyClosed(entry, request);
    const reason = closed === "unclaimed" && entry.kind === "sealed" ? await claim(entry, request) : closed;
    if (reason !== undefined && reason !== "unclaimed") return staysClosed(request, reason);
    assert(entry.kind !== "gone", "what is gone stays closed");
    const card = entry.kind === "well_known" ? openWellKnown(entry.card) : openCard(entry, request);
    const answer = card instanceof Promise ? await card : card;
    record(request, "opened");
    if (o.isRecordAwaited) await accessLog.settled();
    // Taken last: a card that stays closed must not cost its code.
    return { ...answer, ...(purpose === authorizePurpose ? forOnePayment(entry, token) : nothingMore) };
  };

  /** Well-known tokens have a code for every authorization, and never a PIN. */
  const forOnePayment = (entry: DirectoryEntry, token: string): ForOnePayment => {
    if (entry.kind === "well_known") return { ...nothingMore, securityCode: secretDigits(wellKnownCode(entry.card.brand)) };
    const securityCode = codes.take(token)?.expose() ?? nothing;
    const pin = codes.takePin(token);
    return pin === undefined ? { ...nothingMore, securityCode } : { securityCode, ...pinOf(pin.expose()) };
  };

  const describeWellKnown = (card: WellKnownCard, merchantId: string): DescribedCard => {
    const name = merchantId + card.number;
    const known = wellKnownDescribed.get(name);
    if (known !== undefined) return known;
    const digits = Buffer.from(card.number, "latin1");
    const fingerprint = fingerprintOf(dataKeys.fingerprintKey(merchantId), digits).toString("hex");
    const { brand, funding } = card;
    const made = { ...clearDigits(digits), ...wellKnownExpiry, brand, funding, fingerprint };
    wellKnownDescribed.set(name, made);
    return made;
  };

  const describeEntry = (entry: DirectoryEntry, merchantId: string, isLive: boolean): TokenDescription | undefined => {
    if (entry.kind === "well_known") {
      if (isLive) return undefined;
      const expiresAtMs = endOfCardMs(wellKnownExpiry, o.rules);
      return { ...wellKnownLife, kind: "active", card: describeWellKnown(entry.card, merchantId), expiresAtMs };
    }
    if ((entry.mode === "live") !== isLive) return undefined;
    if (entry.kind === "gone") return { kind: entry.reason };
    const { described: card, usage, usedBy, createdAtMs, expiresAtMs } = entry;
    if (expiresAtMs <= o.now()) return { kind: "expired" };
    return { kind: usedBy === undefined ? "active" : "used", card, usage, usedBy, createdAtMs, expiresAtMs };
  };

  return {
    async describe(merchantId, token, isLive) {
      try {
        const found = directory.find(merchantId, token, true);
        const entry = found instanceof Promise ? await found : found;
        const card = entry === undefined ? undefined : describeEntry(entry, merchantId, isLive);
        described[card === undefined || card.kind === "expired" || card.kind === "deleted" ? "not_found" : "ok"].add();
        return card;
      } catch (thrown) {
        described.fault.add();
        throw thrown;
      }
    },
    async open(request) {
      try {
        const answer = await openAndRecord(request);
        opened[typeof answer !== "string" ? "ok" : answer === "not_found" ? "not_found" : "refused"].add();
        return answer;
      } catch (thrown) {
        opened.fault.add();
        throw thrown;
      }
    },
    close: () => claims.close(),
  };
}

/** Only the expiry: well-known tokens have no billing address. */
function openWellKnown({ number }: WellKnownCard): Opened {
  return { ...wellKnownExpiry, number: secretDigits(number), postalCode: "", addressLine1: "" };
}

/** The block's bytes are of their own, because only what is secret is wiped with the answer. */
function pinOf(kept: Uint8Array): Pick<OpenedAnswer, "pinBlock" | "pinKeySerialNumber"> {
  const pinBlock = makeSecretBytes(limits.pinBlockBytes);
  pinBlock.set(kept.subarray(0, limits.pinBlockBytes));
  const pinKeySerialNumber = Uint8Array.from(kept.subarray(limits.pinBlockBytes));
  kept.fill(0);
  return { pinBlock, pinKeySerialNumber };
}

/** Bytes of their own for every answer: whoever answers wipes them. */
function secretDigits(digits: string): Uint8Array {
  const bytes = makeSecretBytes(digits.length);
  for (let index = 0; index < digits.length; index++) bytes[index] = digits.charCodeAt(index);
  return bytes;
}

/** What is no token is not written down as it came: it might be a card number in the wrong field. */
export function recordable(token: string): string {
  return isStoredToken(token) || wellKnownTokens.has(token) ? token : "(no token)";
}
