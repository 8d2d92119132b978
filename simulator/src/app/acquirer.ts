/**
 * The acquirer: authorize, capture, void, refund, reverse, query. One reference has one effect, for ever.
 *
 * An answer is given after its booking is committed. Bookings are batched without timers: the next batch is whatever arrived while the
 * last one was being written.
 */
import { required } from "@florin/kernel";
import { type Batcher, createBatcher } from "@florin/runtime/batch";
import type { Sql } from "@florin/runtime/postgres";
import type { PlayedAcquirer } from "../domain/acquirer-ways.ts";
import { decideAuthorization, type PresentedCard } from "../domain/decide-authorization.ts";
import type { IssuerModel } from "../domain/issuer-model.ts";
import { type Operation, type OperationView, viewOf } from "../domain/operation.ts";
import { responseCodes } from "../domain/response-code.ts";
import { type Booked, bookAuthorizations, type NewAuthorization } from "../store/book-authorizations.ts";
import { bookMovements, type NewMovement } from "../store/book-movements.ts";
import { bookReversal, type NewReversal } from "../store/book-reversal.ts";
import { readOperation } from "../store/read-operations.ts";

export type AuthorizationRequest = {
  readonly reference: string;
  readonly merchantId: string;
  readonly paymentId: string;
  readonly merchantReference: string | undefined;
  /** Minor units. */
  readonly amount: bigint;
  readonly currency: string;
  /** True: take the money in the same operation. */
  readonly isCaptured: boolean;
  readonly card: PresentedCard;
  /** Who was asked. */
  readonly acquirer: PlayedAcquirer;
};

export type AcquirerAnswer =
  | { readonly kind: "answered"; readonly isRepeat: boolean; readonly view: OperationView }
  /** The key was used for something else. */
  | { readonly kind: "key_reuse" }
  | { readonly kind: "authorization_not_found" };

export type QueryAnswer =
  /** `isCaptured`: an authorization that took the money in the same operation. */
  | { readonly kind: "found"; readonly view: OperationView; readonly isCaptured: boolean }
  | { readonly kind: "not_found" }
  /** A request with this reference is being booked right now. */
  | { readonly kind: "in_progress" };

export type Acquirer = {
  authorize(request: AuthorizationRequest): Promise<AcquirerAnswer>;
  move(request: NewMovement): Promise<AcquirerAnswer>;
  reverse(request: NewReversal): Promise<AcquirerAnswer>;
  query(reference: string): Promise<QueryAnswer>;
  /** Writes what is waiting. */
  close(): Promise<void>;
};

const batchMax = 512;
const queueDepthMax = 16_384;
const batchesInFlightMax = 2;

export type AcquirerSettings = {
  readonly refundDelayMs: () => number;
  /** Undefined: test cards answer as documented, and nothing else happens. */
  readonly issuers: IssuerModel | undefined;
};

export function createAcquirer(sql: Sql, settings: AcquirerSettings): Acquirer {
  const authorizations = createBatcher<NewAuthorization, Booked>({
    name: "book-authorizations",
    run: async (members) => (await bookAuthorizations(sql, members)).map((value) => ({ ok: true, value })),
    batchMax,
    queueDepthMax,
    concurrencyMax: batchesInFlightMax,
  });
  // One at a time: movements of one authorization are booked in the order in which they came.
  const movements = createBatcher<NewMovement, Operation | undefined>({
    name: "book-movements",
    run: async (members) => (await bookMovements(sql, members, settings.refundDelayMs())).map((value) => ({ ok: true, value })),
    batchMax,
    queueDepthMax,
  });
  const underway = new References();
  return {
    authorize: (request) => underway.during(request.reference, () => authorize(authorizations, request, settings.issuers)),
    move: (request) => underway.during(request.reference, () => move(sql, movements, request)),
    reverse: (request) => underway.during(request.reference, () => reverse(sql, request)),
    query: async (reference) => {
      // Looked at before the books: a booking that ends in between is then found there.
      if (underway.has(reference)) return { kind: "in_progress" };
      const operation = await readOperation(sql, reference);
      if (operation === undefined) return { kind: "not_found" };
      return { kind: "found", view: viewOf(operation), isCaptured: operation.isCaptured };
    },
    close: async () => {
      await Promise.all([authorizations.close(), movements.close()]);
    },
  };
}

async function authorize(
  batcher: Batcher<NewAuthorization, Booked>,
  request: AuthorizationRequest,
  issuers: IssuerModel | undefined,
): Promise<AcquirerAnswer> {
  const { card, acquirer, ...facts } = request;
  // One payment has one luck with one acquirer, however often it is tried there.
  const issuer = decideAuthorization(card, new Date(), issuers && { issuers, acquirer, luck: request.paymentId });
  const { status } = responseCodes[issuer.code];
  const authorization: NewAuthorization = {
    ...facts,
    status,
    responseCode: issuer.code,
    authCode: status === "approved" ? makeAuthCode() : "",
    avs: issuer.avs,
    cvv: issuer.cvv,
    cardLast4: issuer.cardLast4,
    cardName: issuer.cardName,
    refundsFail: issuer.refundsFail,
  };
  const booked = await batcher.submit(authorization);
  if (booked.kind === "booked") {
    const view = viewOf({ ...authorization, operation: "authorization", operationId: booked.operationId });
    return { kind: "answered", isRepeat: false, view };
  }
  const { operation } = booked;
  // Reversed before it came: whatever it brings, it has no effect.
  if (operation.status === "reversed") return { kind: "answered", isRepeat: true, view: viewOf(operation) };
  const isSame =
    operation.operation === "authorization" &&
    operation.merchantId === request.merchantId &&
    operation.paymentId === request.paymentId &&
    operation.amount === request.amount &&
    operation.currency === request.currency &&
    operation.isCaptured === request.isCaptured &&
    operation.cardLast4 === issuer.cardLast4;
  return isSame ? { kind: "answered", isRepeat: true, view: viewOf(operation) } : { kind: "key_reuse" };
}

async function move(sql: Sql, batcher: Batcher<NewMovement, Operation | undefined>, request: NewMovement): Promise<AcquirerAnswer> {
  const operation = await batcher.submit(request);
  if (operation === undefined) return { kind: "authorization_not_found" };
  const isRepeat = operation.requestCount > 1;
  const isDecided = operation.status !== "pending" || request.isDecidedAtOnce !== true;
  if (!isRepeat && isDecided) return { kind: "answered", isRepeat, view: viewOf(operation) };
  const isSame =
    operation.operation === request.operation &&
    operation.merchantId === request.merchantId &&
    (request.operation === "void" || (operation.amount === request.amount && operation.currency === request.currency));
  if (!isSame) return { kind: "key_reuse" };
  // A refund may have settled since.
  const current = required(await readOperation(sql, request.reference), "a booked operation");
  return { kind: "answered", isRepeat, view: viewOf(current) };
}

async function reverse(sql: Sql, request: NewReversal): Promise<AcquirerAnswer> {
  const operation = await bookReversal(sql, request);
  const isSame = operation.operation === "reversal" && operation.merchantId === request.merchantId;
  return isSame ? { kind: "answered", isRepeat: operation.requestCount > 1, view: viewOf(operation) } : { kind: "key_reuse" };
}

/** Six characters, as issuers give them. */
function makeAuthCode(): string {
  return Math.floor(Math.random() * 36 ** 6)
    .toString(36)
    .toUpperCase()
    .padStart(6, "0");
}

/** References of requests that are being booked, with how many requests each. Bounded by the batchers' queues. */
class References {
  readonly #counts = new Map<string, number>();

  has(reference: string): boolean {
    return this.#counts.has(reference);
  }

  async during<Answer>(reference: string, work: () => Promise<Answer>): Promise<Answer> {
    this.#counts.set(reference, (this.#counts.get(reference) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const left = (this.#counts.get(reference) ?? 1) - 1;
      if (left === 0) this.#counts.delete(reference);
      else this.#counts.set(reference, left);
    }
  }
}
