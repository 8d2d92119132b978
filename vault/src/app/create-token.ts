/** A card becomes a token: examined, sealed, stored; its number is wiped whatever happens. */
import { randomBytes } from "node:crypto";
import { type AppError, makeSecretBytes, Secret } from "@florin/kernel";
import { type Batcher, createBatcher } from "@florin/runtime/batch";
import type { Metrics } from "@florin/runtime/telemetry";
import { type CardFacts, type CardInput, type EncryptedPin, examineCard } from "../domain/card.ts";
import type { PublishableKey } from "../domain/publishable-key.ts";
import { bindingBytes, encodeCard } from "../domain/sealed-card.ts";
import { type Mode, makeToken, tokenRandomBytes } from "../domain/token.ts";
import { expiresAtMs, type LifeRules, plannedExpiryMs, problemOfTerms, type TokenTerms, type Usage } from "../domain/token-life.ts";
import { type CardStore, isEpochRetired, type StoredCard } from "../store/cards.ts";
import { fingerprintOf, seal } from "./card-cipher.ts";
import { cardKeyOf, keyShareBytes } from "./card-key.ts";
import type { DataKeys } from "./data-keys.ts";
import type { SecurityCodes } from "./security-codes.ts";

export type CreatedToken = {
  readonly token: string;
  readonly facts: CardFacts;
  readonly mode: Mode;
  readonly usage: Usage;
  /** Milliseconds since 1970. */
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
};
export type CreateTokenResult =
  | { readonly kind: "created"; readonly created: CreatedToken }
  | { readonly kind: "refused"; readonly fault: AppError };

/** What is to be stored with the card. */
type Order = Pick<StoredCard, "facts" | "usage" | "plannedExpiryMs" | "createdAtMs">;

/** Whose card it is. */
type Owner = Pick<PublishableKey, "merchantId" | "mode">;

export interface TokenMaker {
  /** Takes the card over: number, code and PIN block are wiped when it settles. Rejects with AppError when a part is away; then there is no token. */
  create(key: Owner, card: CardInput, terms: TokenTerms): Promise<CreateTokenResult>;
  /** Waits for what is being stored. */
  close(): Promise<void>;
}

const batchMax = 128;
const queueDepthMax = 4_096;
const batchesInFlightMax = 2;

export function createTokenMaker(o: {
  dataKeys: DataKeys;
  codes: SecurityCodes;
  store: Pick<CardStore, "insert">;
  rules: LifeRules;
  metrics: Pick<Metrics, "counter">;
  /** Milliseconds since 1970. */
  now: () => number;
}): TokenMaker {
  const seals = o.metrics.counter("vault_seals_total");
  const created = o.metrics.counter("vault_tokens_created_total");
  const inserts: Batcher<StoredCard, true> = createBatcher({
    name: "insert-cards",
    run: async (cards) => {
      await o.store.insert(cards);
      return cards.map(() => ({ ok: true, value: true }));
    },
    batchMax,
    queueDepthMax,
    concurrencyMax: batchesInFlightMax,
  });

  const sealCard = async ({ merchantId, mode }: Owner, card: CardInput, order: Order): Promise<StoredCard> => {
    const { facts, usage } = order;
    const { epoch, key } = await o.dataKeys.takeSealingKey(merchantId);
    const token = makeToken(randomBytes(tokenRandomBytes));
    const share = randomBytes(keyShareBytes);
    const { expMonth, expYear } = facts;
    const plain = encodeCard(card);
    const sealed = seal(cardKeyOf(key, share), bindingBytes({ token, merchantId, epoch, mode, expMonth, expYear, usage }), plain);
    plain.fill(0);
    seals.add();
    const fingerprint = fingerprintOf(o.dataKeys.fingerprintKey(merchantId), card.number.expose());
    return { merchantId, token, mode, epoch, sealed, share, fingerprint, ...order };
  };

  /** A key may be retired while a card that it sealed is on its way: nothing was stored then, and the newest key seals it. */
  const sealAndStore = async (owner: Owner, card: CardInput, order: Order): Promise<StoredCard> => {
    const stored = await sealCard(owner, card, order);
    try {
      await inserts.submit(stored);
      return stored;
    } catch (thrown) {
      if (!isEpochRetired(thrown)) throw thrown;
      o.dataKeys.leaveEpoch(stored.epoch);
    }
    const again = await sealCard(owner, card, order);
    await inserts.submit(again);
    return again;
  };

  return {
    async create(key, card, terms) {
      try {
        const nowMs = o.now();
        const problem = problemOfTerms(terms, o.rules);
        if (problem !== undefined) return { kind: "refused", fault: problem };
        const answer = examineCard(card, key.mode, new Date(nowMs));
        if (answer.kind === "refused") return answer;
        const { facts } = answer;
        const { usage } = terms;
        const order = { facts, usage, plannedExpiryMs: plannedExpiryMs(terms, o.rules, nowMs), createdAtMs: nowMs };
        const stored = await sealAndStore(key, card, order);
        if (card.securityCode !== undefined) o.codes.keep(stored.token, card.securityCode);
        if (card.pin !== undefined) keepPin(o.codes, stored.token, card.pin);
        created.add();
        const life = { createdAtMs: nowMs, expiresAtMs: expiresAtMs({ ...order, usedBy: undefined }, o.rules) };
        return { kind: "created", created: { token: stored.token, facts, mode: key.mode, usage, ...life } };
      } finally {
        card.number.wipe();
        card.securityCode?.wipe();
        card.pin?.block.wipe();
      }
    },
    close: () => inserts.close(),
  };
}

/** Block and key serial number wait together, in one piece: without the other each is worth nothing. */
function keepPin(codes: SecurityCodes, token: string, { block, keySerialNumber = new Uint8Array() }: EncryptedPin): void {
  const bytes = makeSecretBytes(block.expose().length + keySerialNumber.length);
  bytes.set(block.expose());
  bytes.set(keySerialNumber, block.expose().length);
  const whole = new Secret(bytes, "[PIN block]");
  codes.keepPin(token, whole);
  whole.wipe();
}
