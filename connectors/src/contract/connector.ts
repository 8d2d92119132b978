/**
 * What every connector is. One connector per processor, in `src/<name>/`, one line in the registry, and the shared conformance suite.
 *
 * A connector reports outcomes and never throws for what a processor or a network does; a rejection is a bug. It never decides what a
 * payment's status is, never repeats a request by itself, and keeps nothing that a restart would lose.
 */
import type { Secret } from "@florin/kernel";
import type { Outcome, QueryAnswer } from "./outcome.ts";
import type { Question } from "./question.ts";

export type Capabilities = {
  /** ISO 4217 codes. Empty: all. */
  readonly currencies: readonly string[];
  readonly brands: readonly string[];
  /** Several captures of one authorization. */
  readonly multipleCaptures: boolean;
  /** Release of the rest after a partial capture. */
  readonly voidAfterCapture: boolean;
  /** Several refunds of one payment. */
  readonly multipleRefunds: boolean;
  /** The processor honours our reference as an idempotency key. */
  readonly idempotent: boolean;
  /** The processor can be asked by our reference. */
  readonly query: boolean;
  /** An operation can be undone by our reference, also one that the processor has not received yet. */
  readonly reversal: boolean;
  /** How an unknown outcome is decided. */
  readonly unknownStrategy: "repeat" | "query" | "reverse" | "file";
  /** How long a hold lasts, hours. */
  readonly authorizationHours: number;
  /** It has live links, which one process may hold at a time. */
  readonly liveLinks: boolean;
};

/** The right to hold the live links of a processor for a while (docs/decisions/0010). */
export type LinkGrant = {
  /** Rises with every change of who grants or who is granted to. */
  readonly term: bigint;
  /** On this process' clock that never jumps, ms; not in the future. */
  readonly fromMs: number;
  readonly validForMs: number;
};
export type LinkGrantResult = "held" | /** Over when it came. */ "expired" | "lower_term";
/** Takes a grant; safe to repeat. `term`: the highest one so far. */
export type TakeLinkGrant = (grant: LinkGrant) => { readonly result: LinkGrantResult; readonly term: bigint };

/** As the device made it that took the PIN; nobody here has the key. */
export type EncryptedPin = {
  /** Eight bytes. */
  readonly block: Secret;
  /** Which key it was, 20 hexadecimal digits (ANSI X9.24); empty where that is agreed otherwise. */
  readonly keySerialNumber: string;
};

/** An open card. A connector wipes it as soon as its digits are in the request; whoever opened it wipes it in any case when the call has ended. */
export type Card = {
  /** ASCII digits. */
  readonly number: Secret;
  /** 1 to 12. */
  readonly expMonth: number;
  /** Four digits. */
  readonly expYear: number;
  /** ASCII digits; undefined when there is none (any more). */
  readonly securityCode: Secret | undefined;
  /** A PIN, encrypted for the processor: passed on by connectors whose processor takes one, wiped by all (`wipeCard`). */
  readonly pin?: EncryptedPin | undefined;
  /** Empty when not given. */
  readonly postalCode: string;
  readonly addressLine1: string;
};

export type AuthorizeCommand = {
  /** Our reference of this attempt: the processor's idempotency key. */
  readonly reference: string;
  readonly merchantId: string;
  readonly paymentId: string;
  /** Empty when the merchant gave none. */
  readonly merchantReference: string;
  /** Minor units. */
  readonly amount: bigint;
  readonly currency: string;
  /** True: take the money in the same operation. */
  readonly capture: boolean;
};

/** The authorization that a later operation is about. */
export type AuthorizationLink = {
  readonly authorizationReference: string;
  /** The processor's id of the authorization; empty when it gave none. */
  readonly processorReference: string;
  readonly merchantId: string;
};

export type CaptureCommand = AuthorizationLink & { readonly reference: string; readonly amount: bigint; readonly currency: string };
export type VoidCommand = AuthorizationLink & { readonly reference: string };
export type RefundCommand = AuthorizationLink & {
  readonly reference: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly reason: string;
  /** The authorization took the money in the same operation. */
  readonly isPurchase: boolean;
};

/** Undoes the operation with `originalReference`, whatever became of it. */
export type ReverseCommand = {
  readonly reference: string;
  readonly originalReference: string;
  /** Reference of the authorization that the operation belongs to; of an attempt, its own. */
  readonly authorizationReference: string;
  readonly merchantId: string;
  readonly paymentId: string;
  readonly amount: bigint;
  readonly currency: string;
  /** The authorization took the money in the same operation. */
  readonly isPurchase: boolean;
};

export type ConnectorCall = {
  /** ms since the epoch. Past it nobody waits for the answer; the outcome of what was sent is then unknown. */
  readonly deadlineAtMs: number;
  /** W3C traceparent for the processor; empty when there is none. */
  readonly traceparent: string;
};

export type PingAnswer = { readonly kind: "up"; readonly roundTripUs: number } | { readonly kind: "down" };

/** What a processor sent by itself. Nothing of it is to be believed before its signature was looked at. */
export type CallbackRequest = {
  /** By name in lower case; a header that came twice is not here. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Unix milliseconds. */
  readonly nowMs: number;
};

export type CallbackReading =
  | {
      readonly kind: "event";
      /** The processor's id of the event: the same when it sends it again. */
      readonly eventId: string;
      /** Our reference of the operation that it is about. */
      readonly reference: string;
      /** Hands it to the call that waits for it. False: nobody does. */
      readonly take: () => boolean;
    }
  | { readonly kind: "refused"; readonly why: "malformed" | "signature_wrong" | "time_wrong" };

export interface Connector {
  /** Registry name: lower case letters, digits and underscores. Stored with payments, so it stays for ever. */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Takes the card over and wipes it. Repeating a command with its reference has one effect where `capabilities.idempotent` holds. */
  authorize(command: AuthorizeCommand, card: Card, call: ConnectorCall): Promise<Outcome>;
  capture(command: CaptureCommand, call: ConnectorCall): Promise<Outcome>;
  void(command: VoidCommand, call: ConnectorCall): Promise<Outcome>;
  refund(command: RefundCommand, call: ConnectorCall): Promise<Outcome>;
  /**
   * Approved: the operation has no effect, and one that the processor gets later has none either. Declined: it cannot be undone (a void
   * that released the hold, a refund that was paid). Only called where `capabilities.reversal` holds; repeating it is safe.
   */
  reverse(command: ReverseCommand, call: ConnectorCall): Promise<Outcome>;
  /**
   * What became of an earlier operation. `found` with an unknown outcome when the processor could not be asked, is still at work, or speaks of another
   * kind, amount or currency than the question.
   */
  query(question: Question, call: ConnectorCall): Promise<QueryAnswer>;
  ping(call: ConnectorCall): Promise<PingAnswer>;
  /** Of processors that call back (src/callbacks). Checks who speaks, and reads. */
  readCallback?(request: CallbackRequest): CallbackReading;
  /**
   * The name of the key that a callback claims to be signed with, where we have such a key. Nothing is checked yet: it keeps strangers, who know no
   * name, from using up the tries of those who do.
   */
  callbackSender?(headers: CallbackRequest["headers"]): string | undefined;
  /**
   * Works with another key from the next command on; what is in flight goes on with the old one. Undefined: the one it was made with. The connector
   * copies what it keeps. False: it has no secret of this name, or these bytes cannot be its key; it then keeps what it has. Absent: its keys change
   * with a restart only.
   */
  readonly rotateSecret?: (name: string, secret: Secret | undefined) => boolean;
  /** State of the link as last seen, without asking. */
  isUp(): boolean;
  /** There exactly where `capabilities.liveLinks` holds. Without a grant that is valid there are no links. */
  readonly takeLinkGrant?: TakeLinkGrant;
  /** Refuses new commands; waits for those in flight until their deadlines. */
  close(): Promise<void>;
}
