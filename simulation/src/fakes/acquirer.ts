/**
 * An acquirer with books of its own: what it holds, takes and gives back, by our references. A reference has one effect, however often it
 * comes. It never looks into our log, so its books are the other half of every check.
 */
import { OutcomeKind, type Outcome as WireOutcome } from "@florin/gen/connectors/v1/connectors";
import type { World } from "../engine/world.ts";

export type { WireOutcome };

export type OperationKind = "authorize" | "capture" | "void" | "refund";

/** How its connector says that an unknown outcome is decided, and whether an operation can be undone by our reference. */
export type Strategy = { readonly unknownStrategy: "query" | "repeat" | "reverse" | "file"; readonly reversal: boolean };

export type AcquirerRequest = {
  readonly kind: OperationKind;
  readonly reference: string;
  readonly merchantId: string;
  /** Empty for an authorization. */
  readonly authorizationReference: string;
  readonly amount: bigint;
  readonly currency: string;
  /** An authorization that takes the money at once. */
  readonly isSale: boolean;
  readonly paymentId: string;
};

export type BookedOperation = AcquirerRequest & {
  readonly isApproved: boolean;
  readonly declineReason: string;
  /** A refund is accepted first and decided later. */
  state: "final" | "accepted" | "failed";
  /** Undone by a reversal of ours: it has no effect any more. */
  isReversed: boolean;
  /** Until then queries say "no such operation": the acquirer's index is behind its books. */
  readonly hiddenUntilMs: number;
};

/** Every way in which two acquirers differ; drawn per run. */
export type AcquirerManner = {
  readonly strategy: Strategy;
  readonly declineRatio: number;
  /** Of its declines, those that another acquirer may not repeat. */
  readonly softDeclineRatio: number;
  /** Refunds that are accepted first. */
  readonly slowRefundRatio: number;
  readonly failedRefundRatio: number;
  readonly refundMs: { readonly min: number; readonly max: number };
};

export class Acquirer {
  readonly books = new Map<string, BookedOperation>();
  readonly manner: AcquirerManner;
  readonly #world: World;
  /** References that it was told to refuse before it had them. */
  readonly #refused = new Set<string>();

  constructor(world: World, manner: AcquirerManner) {
    this.#world = world;
    this.manner = manner;
  }

  /** `hiddenForMs`: how long queries will not find it. */
  perform(request: AcquirerRequest, hiddenForMs: number): WireOutcome {
    const before = this.books.get(request.reference);
    if (before !== undefined) return outcomeOf(before);
    const isApproved = !this.#refused.has(request.reference) && this.#approves(request);
    const isSlow = isApproved && request.kind === "refund" && this.#world.random.chance(this.manner.slowRefundRatio);
    const { nowMs } = this.#world;
    const isSoft = !isApproved && this.#world.random.chance(this.manner.softDeclineRatio);
    const booked: BookedOperation = {
      ...request,
      isApproved,
      declineReason: isSoft ? "do_not_honor" : "insufficient_funds",
      state: isSlow ? "accepted" : "final",
      isReversed: false,
      hiddenUntilMs: nowMs + hiddenForMs,
    };
    this.books.set(request.reference, booked);
    this.#bookUnder(request);
    this.#world.note("acquirer", request.kind, request.reference, isApproved ? "approved" : "declined");
    if (isSlow) this.#decideLater(booked);
    return outcomeOf(booked);
  }

  /** Undoes an operation, or refuses it from now on. What others rest on cannot be undone. */
  reverse(original: string): WireOutcome {
    const booked = this.books.get(original);
    this.#world.note("acquirer", "reverse", original, booked === undefined ? "unknown" : "booked");
    if (booked === undefined) {
      this.#refused.add(original);
      return approved(original);
    }
    if (!booked.isApproved || booked.isReversed) return approved(original);
    if ((this.#under.get(original) ?? []).some((reference) => this.books.get(reference)?.isApproved === true)) return declined(original);
    booked.isReversed = true;
    return approved(original);
  }

  query(reference: string): { found: boolean; outcome?: WireOutcome } {
    const booked = this.books.get(reference);
    if (booked === undefined || booked.hiddenUntilMs > this.#world.nowMs) return { found: false };
    return { found: true, outcome: outcomeOf(booked) };
  }

  #approves({ kind, authorizationReference, amount }: AcquirerRequest): boolean {
    if (kind === "authorize") return !this.#world.random.chance(this.manner.declineRatio);
    const totals = this.totalsOf(authorizationReference);
    if (totals === undefined) return false;
    if (kind === "refund") return amount <= totals.captured - totals.refunded;
    if (totals.isVoided) return false;
    return kind === "void" || amount <= totals.held - totals.captured;
  }

  /** What came of one authorization; undefined when it was not approved. */
  totalsOf(authorizationReference: string) {
    const authorization = this.books.get(authorizationReference);
    if (authorization?.isApproved !== true || authorization.isReversed) return undefined;
    let captured = authorization.isSale ? authorization.amount : 0n;
    let refunded = 0n;
    let isVoided = false;
    for (const reference of this.#under.get(authorizationReference) ?? []) {
      const one = this.books.get(reference);
      if (one?.isApproved !== true || one.state === "failed" || one.isReversed) continue;
      if (one.kind === "capture") captured += one.amount;
      else if (one.kind === "refund") refunded += one.amount;
      else if (one.kind === "void") isVoided = true;
    }
    return { held: authorization.amount, captured, refunded, isVoided };
  }

  /** References of what was asked for under an authorization. */
  readonly #under = new Map<string, string[]>();

  #bookUnder({ kind, reference, authorizationReference }: AcquirerRequest): void {
    if (kind === "authorize") return;
    const under = this.#under.get(authorizationReference);
    if (under === undefined) this.#under.set(authorizationReference, [reference]);
    else under.push(reference);
  }

  #decideLater(refund: BookedOperation): void {
    const { random } = this.#world;
    const { min, max } = this.manner.refundMs;
    const isFailing = random.chance(this.manner.failedRefundRatio);
    this.#world.schedule(random.between(min, max), () => {
      refund.state = isFailing ? "failed" : "final";
      this.#world.note("acquirer", "refund_decided", refund.reference, refund.state);
    });
  }
}

function outcomeOf({ isApproved, declineReason, state, reference, isReversed }: BookedOperation): WireOutcome {
  if (!isApproved) return { ...declined(reference), declineReason };
  if (isReversed || state === "failed") return declined(reference);
  return { ...approved(reference), isFinal: state === "final" };
}

function declined(reference: string): WireOutcome {
  return {
    ...silent,
    kind: OutcomeKind.DECLINED,
    processorReference: `sim_${reference}`,
    responseCode: "51",
    declineReason: "insufficient_funds",
  };
}

function approved(reference: string): WireOutcome {
  return {
    ...silent,
    kind: OutcomeKind.APPROVED,
    processorReference: `sim_${reference}`,
    responseCode: "00",
    authCode: "A1B2C3",
    isFinal: true,
  };
}

const silent: WireOutcome = {
  $typeName: "florin.connectors.v1.Outcome",
  kind: OutcomeKind.UNSPECIFIED,
  processorReference: "",
  responseCode: "",
  authCode: "",
  avs: "",
  cvv: "",
  declineReason: "",
  cause: "",
  isFinal: false,
};

/** What the connectors process says when it has no answer. */
export function noAnswer(kind: "unknown" | "not_sent", cause: string): WireOutcome {
  return { ...silent, kind: kind === "unknown" ? OutcomeKind.UNKNOWN : OutcomeKind.NOT_SENT, cause };
}
