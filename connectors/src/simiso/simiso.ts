/**
 * simiso: the acquirer of the sandbox over ISO 8583, as an example of a processor that has live links and no query. Its own words are in
 * `profile.ts`; everything else is what `src/iso8583` offers to any processor.
 *
 * What nobody knows is reversed, never taken for a decline: `unknownStrategy` is "reverse". Captures, voids and refunds are repeated with their
 * reference, which makes the same message again.
 */
import type { Secret } from "@florin/kernel";
import { derivedId } from "@florin/runtime/derived-id";
import { systemTiming } from "@florin/runtime/timing";
import type { AuthorizeCommand, Connector, ConnectorCall, PingAnswer, ReverseCommand, TakeLinkGrant } from "../contract/connector.ts";
import { notSent, type Outcome, unknown } from "../contract/outcome.ts";
import type { IsoMessage } from "../iso8583/codec/message.ts";
import { wipeMessage } from "../iso8583/codec/message.ts";
import type { LaneAddress } from "../iso8583/link/lane.ts";
import { noLease, takeGrant } from "../iso8583/link/lease.ts";
import { createProcessorLinks, type LinkNotice, type ProcessorLinks } from "../iso8583/link/processor-links.ts";
import { afterReversal, type Declined, isBreakdown } from "../iso8583/payment/breakdown.ts";
import { type Asked, readReply } from "../iso8583/payment/read-reply.ts";
import { authorizeMessage, captureMessage, refundMessage, reversalMessage, voidMessage } from "../iso8583/payment/requests.ts";
import { countedOf, TotalsBook } from "../iso8583/payment/totals.ts";
import { type OnTotals, startTotals } from "../iso8583/payment/totals-round.ts";
import { meaningOf } from "../iso8583/response-table.ts";
import { leaseSettings, linkProfile, linkSettings, paymentProfile } from "./profile.ts";
import { RecentReferences } from "./recent-references.ts";

export type SimisoOptions = {
  /** One link each. */
  readonly addresses: readonly LaneAddress[];
  /** 16 bytes: both keys of the retail MAC. */
  readonly macKey: Secret;
  /** Requests without an answer, over all links. */
  readonly inFlightMax: number;
  /** False: this process has the links to itself and needs no grant. For tests and benches. */
  readonly isGranted: boolean;
  /** Length of the windows that totals are asked for, a multiple of 1,000 ms, and how long after its end operations of a window may have answers, ms. */
  readonly totals: { readonly windowMs: number; readonly settleMs: number };
  readonly onTotals: OnTotals;
  readonly onNotice?: (notice: LinkNotice) => void;
};

const waitingMax = 4_096;
/** Longer than any caller waits for an answer. */
const rememberedMs = 180_000;
const rememberedMax = 100_000;
const backlogBytesMax = 1_048_576;
/** Reversals that have not ended. More than the switch follows up (50,000 unknown authorizations and as many other operations). */
const reversalsOpenMax = 200_000;
const totalsOperationsMax = 200_000;
const totalsLooksPerWindow = 10;
const totalsTimeoutMs = 10_000;

export function createSimiso(options: SimisoOptions): Connector {
  const { addresses, macKey, inFlightMax, isGranted, onNotice, onTotals } = options;
  const book = new TotalsBook({ ...options.totals, operationsMax: totalsOperationsMax });
  const beginTotals = () => book.begin(Date.now());
  const lease = createLease(beginTotals);
  if (!isGranted) beginTotals();
  const links = createProcessorLinks({
    profile: linkProfile(macKey),
    ...{
      addresses,
      settings: linkSettings,
      lease: isGranted ? { ...leaseSettings, remainingMs: lease.remainingMs } : undefined,
      inFlightMax,
      waitingMax,
      rememberedMs,
      rememberedMax,
      backlogBytesMax,
    },
    ...{ timing: systemTiming, wallMs: Date.now, random: Math.random },
    ...(onNotice === undefined ? {} : { onNotice }),
  });
  const reversals = new RecentReferences(reversalsOpenMax, systemTiming.monotonicMs);
  const stopTotals = startTotals({
    ...{ book, links, onTotals, acquirerId: paymentProfile.acquirerId, timing: systemTiming, wallMs: Date.now },
    periodMs: options.totals.windowMs / totalsLooksPerWindow,
    answerTimeoutMs: totalsTimeoutMs,
  });
  const counting = async (message: IsoMessage, asked: Asked, call: ConnectorCall): Promise<Outcome> => {
    const counted = countedOf(message, Date.now());
    if (counted !== undefined) book.sent(counted);
    const outcome = await exchange(links, message, asked, call);
    if (counted !== undefined) book.ended(counted, carriedOut(outcome));
    return outcome;
  };
  const move = (message: IsoMessage, call: ConnectorCall) => counting(message, { kind: "movement" }, call);
  const reverse = async (command: ReverseCommand, call: ConnectorCall): Promise<Outcome> => {
    const askedForMs = reversals.use(command.reference);
    const isRepeat = askedForMs !== undefined;
    const message = reversalMessage(paymentProfile, command, { originalMti: originalTypeOf(command), isRepeat });
    const outcome = await counting(message, { kind: "reversal", askedForMs: askedForMs ?? 0 }, call);
    // What has ended must not push out what is still asked for, whose age decides.
    if (outcome.kind === "approved" || outcome.kind === "declined") reversals.forget(command.reference);
    return outcome;
  };
  const undone = async (decline: Declined, reversal: ReverseCommand, call: ConnectorCall): Promise<Outcome> =>
    afterReversal(decline, await reverse(reversal, call));
  return {
    name: "simiso",
    capabilities: {
      currencies: [],
      brands: ["visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay"],
      multipleCaptures: true,
      voidAfterCapture: true,
      multipleRefunds: true,
      idempotent: true,
      query: false,
      reversal: true,
      unknownStrategy: "reverse",
      authorizationHours: 168,
      liveLinks: true,
    },
    async authorize(command, card, call) {
      const message = authorizeMessage(paymentProfile, command, card);
      // The message has its own copy; the number is the card's, and is wiped with the message.
      card.securityCode?.wipe();
      const outcome = await counting(message, { kind: "authorization" }, call);
      return isBreakdown(outcome) ? undone(outcome, reversalOf(command), call) : outcome;
    },
    capture: (command, call) => move(captureMessage(paymentProfile, command), call),
    void: (command, call) => move(voidMessage(paymentProfile, command), call),
    refund: (command, call) => move(refundMessage(paymentProfile, command, command.isPurchase ? "0200" : "0100"), call),
    reverse: (command, call) => reverse(command, call),
    // Nobody can be asked, which is not to say that there is nothing.
    query: async () => ({ kind: "found", outcome: unknown("not_reached") }),
    ping: (call) => ping(links, call),
    isUp: () => links.isUp(),
    takeLinkGrant: lease.take,
    close: () => {
      stopTotals();
      return links.close();
    },
  };
}

/** On the clock of the links. */
function createLease(onBegin: () => void): { readonly take: TakeLinkGrant; readonly remainingMs: () => number } {
  let lease = noLease;
  return {
    take(grant) {
      const nowMs = systemTiming.monotonicMs();
      const wasHeld = nowMs < lease.untilMs;
      const step = takeGrant(lease, grant, nowMs);
      lease = step.lease;
      if (step.result === "held" && !wasHeld) onBegin();
      return { result: step.result, term: lease.term };
    },
    remainingMs: () => lease.untilMs - systemTiming.monotonicMs(),
  };
}

/** With the reference that the switch would undo it with: should it have to, it asks for the same reversal again. */
function reversalOf(command: AuthorizeCommand): ReverseCommand {
  const { reference, merchantId, paymentId, amount, currency, capture } = command;
  return {
    ...{ reference: derivedId("reversal", reference), originalReference: reference, authorizationReference: reference },
    ...{ merchantId, paymentId, amount, currency, isPurchase: capture },
  };
}

/** The type of the message that the operation to undo was sent with. */
function originalTypeOf({ originalReference, isPurchase }: ReverseCommand): string {
  if (originalReference.startsWith("cap_")) return "0220";
  if (originalReference.startsWith("voi_")) return "0400";
  return originalReference.startsWith("ref_") || isPurchase ? "0200" : "0100";
}

/** What stands in the processor's books of it. */
function carriedOut(outcome: Outcome): "approved" | "refused" | "unknown" {
  // A host that broke down may have booked it before.
  if (outcome.kind === "unknown" || isBreakdown(outcome)) return "unknown";
  if (outcome.kind !== "approved") return "refused";
  // A reversal of what the processor does not know succeeds, and changes nothing there.
  return meaningOf("1987", outcome.words.responseCode).kind === "approved" ? "approved" : "refused";
}

async function exchange(links: ProcessorLinks, request: IsoMessage, asked: Asked, call: ConnectorCall): Promise<Outcome> {
  const answer = await links.exchange(request, call.deadlineAtMs);
  if (answer.kind === "not_sent") return notSent(answer.cause);
  if (answer.kind === "unknown") return unknown(answer.cause);
  try {
    return readReply(request, answer.message, asked);
  } finally {
    wipeMessage(answer.message);
  }
}

async function ping(links: ProcessorLinks, call: ConnectorCall): Promise<PingAnswer> {
  const startedAtMs = performance.now();
  const answer = await links.echo(call.deadlineAtMs);
  if (answer.kind !== "answered") return { kind: "down" };
  wipeMessage(answer.message);
  return { kind: "up", roundTripUs: Math.max(1, Math.round((performance.now() - startedAtMs) * 1_000)) };
}
