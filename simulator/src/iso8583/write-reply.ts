/** What the host says to a request: its own fields again, and what the books say. Pure. */
import type { AcquirerAnswer } from "../app/acquirer.ts";
import type { OperationView } from "../domain/operation.ts";
import type { HostMessage } from "./wire.ts";

/** Fields of a request that its reply repeats. */
const repeated = [3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70, 90];

const avsLetters: Readonly<Record<string, string>> = { match: "Y", mismatch: "N", partial: "A", unavailable: "U" };
const cvvLetters: Readonly<Record<string, string>> = { match: "M", mismatch: "N", unavailable: "U" };

export const codes = {
  accepted: "00",
  /** What had been reversed before it came. */
  reversed: "12",
  formatError: "30",
  noOriginal: "25",
  /** The host itself is out of order. */
  outOfOrder: "22",
  securityViolation: "63",
  malfunction: "96",
  duplicate: "94",
  unlisted: "ZZ",
} as const;

/** "0110" to "0100" and its repetition "0101", "0430" to "0420". */
function replyType(mti: string): string {
  return `${mti.slice(0, 2)}${Number(mti[2]) + 1}0`;
}

export function replyTo(request: HostMessage, responseCode: string, more: ReadonlyMap<number, string> = new Map()): HostMessage {
  const fields = new Map<number, string>();
  for (const number of repeated) {
    const value = request.fields.get(number);
    if (value !== undefined) fields.set(number, value);
  }
  fields.set(39, responseCode);
  for (const [number, value] of more) fields.set(number, value);
  return { mti: replyType(request.mti), fields };
}

export function replyWith(request: HostMessage, answered: AcquirerAnswer): HostMessage {
  if (answered.kind === "key_reuse") return replyTo(request, codes.duplicate);
  if (answered.kind === "authorization_not_found") return replyTo(request, codes.noOriginal);
  const { view } = answered;
  const more = new Map<number, string>();
  if (view.auth_code !== "") more.set(38, view.auth_code);
  const checks = element("83", avsLetters[view.avs]) + element("87", cvvLetters[view.cvv]);
  if (checks !== "") more.set(48, checks);
  return replyTo(request, responseCodeOf(view), more);
}

/** The status counts: what was approved and then reversed is no approval any more. */
function responseCodeOf({ status, response_code: code }: OperationView): string {
  return status === "reversed" ? codes.reversed : code;
}

function element(tag: string, value: string | undefined): string {
  return value === undefined ? "" : `${tag}${String(value.length).padStart(2, "0")}${value}`;
}

/** A reply whose head can be read, trace number and all, and nothing after it. */
export function garbled(reply: HostMessage): HostMessage {
  return { mti: reply.mti, fields: new Map(reply.fields).set(12, "\0?\u00ff\0?\u00ff") };
}
