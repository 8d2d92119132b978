/** Messages about a link itself: sign-on, echo, sign-off, and the answers to those of the processor. Pure. */
import type { FieldValue, IsoMessage } from "../codec/message.ts";
import type { NetworkRequest } from "./link-state.ts";

export type NetworkProfile = {
  /** "0800"; 1993: "1804". */
  readonly mti: string;
  /** Where the code stands: DE 70 in 1987, DE 24 in 1993. */
  readonly codeField: number;
  readonly codes: Readonly<Record<NetworkRequest, string>>;
  /** DE 39 of a message that was accepted. */
  readonly acceptedCode: string;
  /** Fields that every one of them has. */
  readonly fields: ReadonlyMap<number, string>;
};

const transmissionField = 7;
const stanField = 11;
const terminalField = 41;
const responseField = 39;

export function networkRequest(
  profile: NetworkProfile,
  request: NetworkRequest,
  o: { readonly stan: string; readonly wallMs: number },
): IsoMessage {
  const fields = new Map<number, FieldValue>(profile.fields);
  fields.set(transmissionField, transmissionTime(o.wallMs)).set(stanField, o.stan).set(profile.codeField, profile.codes[request]);
  return { mti: profile.mti, fields };
}

export function isAccepted({ acceptedCode }: NetworkProfile, reply: IsoMessage): boolean {
  return reply.fields.get(responseField) === acceptedCode;
}

/** What the processor asks of us; undefined when the message is about something else, or of a kind that has no answer. */
export function askedByProcessor(profile: NetworkProfile, message: IsoMessage): NetworkRequest | "other" | undefined {
  if (message.mti.charAt(1) !== "8" || !isAnswerable(message)) return undefined;
  const code = message.fields.get(profile.codeField);
  const known = (["sign_on", "echo", "sign_off"] as const).find((request) => profile.codes[request] === code);
  return known ?? "other";
}

/** Our answer: its type made a reply, its own fields, and that we agree. */
export function networkReply(profile: NetworkProfile, asked: IsoMessage): IsoMessage {
  const fields = new Map<number, FieldValue>([[responseField, profile.acceptedCode]]);
  for (const field of [transmissionField, stanField, terminalField, profile.codeField]) {
    const value = asked.fields.get(field);
    if (typeof value === "string") fields.set(field, value);
  }
  return { mti: replyTypeOf(asked.mti), fields };
}

/** A request or an advice. Notifications (4), acknowledgements and what the standard reserves have no reply that they could get. */
function isAnswerable({ mti }: IsoMessage): boolean {
  return mti.charAt(2) === "0" || mti.charAt(2) === "2";
}

/** Third digit: 0 request, 1 its reply, 2 advice, 3 its reply, 4 notification. */
export function isReply({ mti }: IsoMessage): boolean {
  return mti.charAt(2) === "1" || mti.charAt(2) === "3";
}

/** "0110" of "0100" and of its repetition "0101"; "0430" of "0420". Of requests and advices. */
export function replyTypeOf(mti: string): string {
  return `${mti.slice(0, 2)}${Number(mti.charAt(2)) + 1}${mti.charAt(3) === "1" ? "0" : mti.charAt(3)}`;
}

/** MMDDhhmmss in UTC (DE 7). */
export function transmissionTime(wallMs: number): string {
  const at = new Date(wallMs);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(at.getUTCMonth() + 1)}${two(at.getUTCDate())}${two(at.getUTCHours())}${two(at.getUTCMinutes())}${two(at.getUTCSeconds())}`;
}
