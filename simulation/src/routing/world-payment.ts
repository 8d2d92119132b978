/**
 * One payment as the world has it, and what comes back when it is sent by way of a processor: the simulator's issuers and acquirers, behind a
 * network that loses some requests and some answers.
 */
import { type DeclineReason, isDeclineReason } from "@florin/kernel";
import type { IssuerModel } from "@florin/simulator/src/domain/issuer-model.ts";
import { declineCodeOf, type ResponseCode } from "@florin/simulator/src/domain/response-code.ts";
import type { Outcome } from "@florin/switch/src/domain/payment/index.ts";
import { type RoutingRequest, regionOf } from "@florin/switch/src/domain/routing/index.ts";
import { createRandom } from "../engine/random.ts";

/** `request` is what the switch is told, which may be wrong about the card. */
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

/** Between the switch and one processor, as shares in [0, 1]. */
export type Network = { readonly notSent: number; readonly unknown: number };

const words = { processorReference: "", responseCode: "", authCode: "", avs: "", cvv: "" };

/** What is heard when `payment` is sent by way of the processor called `name`. The same question has the same answer. */
export function answerOf(o: {
  readonly payment: WorldPayment;
  readonly name: string;
  readonly network: Network;
  readonly issuers: IssuerModel;
}): Outcome {
  const { payment, name, issuers, network } = o;
  const { atMs, card, refusal, luck, request } = payment;
  const random = createRandom(luck ^ nameSeed(name));
  if (random.chance(network.notSent)) return { kind: "not_sent", cause: "connection_refused" };
  if (random.chance(network.unknown)) return { kind: "unknown", cause: "timeout" };
  // As our connectors read what an acquirer says that is out of order: it may have booked.
  if (issuers.isOutOfOrder(name, atMs)) return { kind: "unknown", cause: "processor_fault" };
  if (refusal !== undefined) return { kind: "declined", words, reason: refusal };
  const region = regionOf(card.cardCountry, request.merchantCountry);
  const code = issuers.answerOf({ acquirer: name, brand: card.network, region, atMs, luck: String(luck) });
  return code === "00" ? { kind: "approved", words, isFinal: true } : { kind: "declined", words, reason: reasonOf(code) };
}

/** The simulator's words for declines are ours. */
export function reasonOf(code: ResponseCode): DeclineReason {
  const reason = declineCodeOf(code);
  if (!isDeclineReason(reason)) throw new Error(`the simulator declines with ${reason}, which is no reason of ours`);
  return reason;
}

function nameSeed(name: string): number {
  let seed = 7;
  for (let index = 0; index < name.length; index++) seed = (Math.imul(seed, 31) + name.charCodeAt(index)) | 0;
  return seed;
}
