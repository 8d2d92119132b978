/**
 * Who would approve what: a model of cards, issuers and the ways to them. What routing cannot see, it decides here.
 *
 * A decline has one of two causes. The issuer refuses (no funds, a lost card): then every way ends so. Or the way fails it (the processor's
 * data quality, its standing with this kind of card, its bad hour): then another way may be approved. The shares are those of card-not-present
 * sales: about one in seven payments declined at first, about half of them by the issuer for good.
 */
import type { DeclineReason } from "@florin/kernel";
import type { Outcome } from "@florin/switch/src/domain/payment/index.ts";
import type { RoutingRequest } from "@florin/switch/src/domain/routing/index.ts";
import { createRandom } from "../engine/random.ts";

/** One payment as the world has it. `request` is what the switch is told, which may be wrong about the card. */
export type WorldPayment = {
  readonly atMs: number;
  readonly request: RoutingRequest;
  /** The card as it is; the fee is charged for this one. */
  readonly card: Pick<RoutingRequest, "network" | "funding" | "cardCountry">;
  readonly cardFingerprint: string;
  /** Set: the issuer refuses whatever the way. */
  readonly refusal: DeclineReason | undefined;
  /** Seed of what the ways answer, so that two strategies that choose one processor get one answer. */
  readonly luck: number;
};

/** How well one processor does, as shares in [0, 1]. */
export type WayModel = {
  /** Approved of what the issuer would approve, by "network/region" of the card; `usual` for the others. */
  readonly usual: number;
  readonly special: Readonly<Record<string, number>>;
  /** From hour to hour (of the day, UTC, `from` included), a bad time with this share instead. */
  readonly badHours: { readonly from: number; readonly to: number; readonly share: number } | undefined;
  readonly notSent: number;
  readonly unknown: number;
};

const hourMs = 3_600_000;
const softReasons: readonly DeclineReason[] = [
  "do_not_honor",
  "generic_decline",
  "try_again_later",
  "issuer_unavailable",
  "processing_error",
];
const words = { processorReference: "", responseCode: "", authCode: "", avs: "", cvv: "" };

/** What the world answers when `payment` is sent by way of the processor called `name`. The same question has the same answer. */
export function answerOf(o: {
  readonly payment: WorldPayment;
  readonly name: string;
  readonly way: WayModel;
  readonly region: string;
}): Outcome {
  const { payment, way } = o;
  const random = createRandom(payment.luck ^ nameSeed(o.name));
  if (random.chance(way.notSent)) return { kind: "not_sent", cause: "connection_refused" };
  if (random.chance(way.unknown)) return { kind: "unknown", cause: "timeout" };
  if (payment.refusal !== undefined) return { kind: "declined", words, reason: payment.refusal };
  if (random.chance(shareAt(way, `${payment.card.network}/${o.region}`, payment.atMs))) return { kind: "approved", words, isFinal: true };
  return { kind: "declined", words, reason: random.pick(softReasons) };
}

function shareAt({ usual, special, badHours }: WayModel, kind: string, atMs: number): number {
  const hour = Math.floor(atMs / hourMs) % 24;
  if (badHours !== undefined && hour >= badHours.from && hour < badHours.to) return badHours.share;
  return special[kind] ?? usual;
}

function nameSeed(name: string): number {
  let seed = 7;
  for (let index = 0; index < name.length; index++) seed = (Math.imul(seed, 31) + name.charCodeAt(index)) | 0;
  return seed;
}
