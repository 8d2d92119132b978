/**
 * What a message asks the acquirer for. Pure.
 *
 * DE 48 is made of subelements, two digits of tag and two of length: 01 the caller's reference of this operation, 02 of the one that it is about, 03
 * the caller's payment, 04 of a reversal the authorization, 11 and 12 the address, 92 the security code, 93 which key a PIN block (DE 52) is under. What is
 * booked, it is booked by 01.
 */
import { currencies } from "@florin/kernel";
import type { AuthorizationRequest } from "../app/acquirer.ts";
import type { NewMovement } from "../store/book-movements.ts";
import type { NewReversal } from "../store/book-reversal.ts";
import type { HostMessage } from "./wire.ts";

export type HostRequest =
  | { readonly kind: "authorization"; readonly request: AuthorizationRequest }
  | { readonly kind: "movement"; readonly request: NewMovement; readonly original: Original }
  | { readonly kind: "reversal"; readonly request: NewReversal; readonly original: Original };

/** What DE 90 says about the message that this one is about. */
export type Original = {
  /** The caller's reference of it. */
  readonly reference: string;
  readonly mti: string;
};

const purchase = "000000";
const refund = "200000";
/** ISO 4217: letters by number. */
export const currencyByNumber: ReadonlyMap<string, string> = new Map(
  Object.entries(currencies).map(([code, { numeric }]) => [numeric, code]),
);

/** Undefined: a message that this host does not know, or that lacks something. */
export function readRequest(message: HostMessage): HostRequest | undefined {
  const { fields } = message;
  const elements = readElements(fields.get(48) ?? "");
  const reference = elements?.get("01") ?? "";
  const merchantId = fields.get(42) ?? "";
  if (elements === undefined || reference === "" || merchantId === "") return undefined;
  const kind = kindOf(message.mti, fields.get(3));
  if (kind === "authorization") return readAuthorization(message, elements, { reference, merchantId });
  if (kind === "reversal") return readReversal(message, elements, { reference, merchantId });
  if (kind === undefined) return undefined;
  const money = kind === "void" ? { amount: 0n, currency: "" } : moneyOf(message);
  const authorizationReference = elements.get("02");
  const mti = originalType(message);
  if (money === undefined || authorizationReference === undefined || mti === undefined) return undefined;
  const request = { reference, merchantId, operation: kind, authorizationId: undefined, authorizationReference, ...money };
  return { kind: "movement", request, original: { reference: authorizationReference, mti } };
}

/** The operation of a type and its processing code. A repetition asks for the same as the first. */
function kindOf(mti: string, processingCode: string | undefined): "authorization" | "capture" | "void" | "refund" | "reversal" | undefined {
  const type = mti.slice(0, 3);
  if (type === "010" || (type === "020" && processingCode === purchase)) return "authorization";
  if (type === "020" && processingCode === refund) return "refund";
  return ({ "022": "capture", "040": "void", "042": "reversal" } as const)[type];
}

type Who = { readonly reference: string; readonly merchantId: string };

function readAuthorization(message: HostMessage, elements: ReadonlyMap<string, string>, who: Who): HostRequest | undefined {
  const money = moneyOf(message);
  const number = message.fields.get(2);
  const expiry = /^(\d\d)(0[1-9]|1[0-2])$/.exec(message.fields.get(14) ?? "");
  if (money === undefined || number === undefined || expiry === null) return undefined;
  const card = {
    number,
    expMonth: Number(expiry[2]),
    expYear: 2_000 + Number(expiry[1]),
    hasSecurityCode: elements.has("92"),
    hasAddress: elements.has("11") || elements.has("12"),
    pinBlock: hexOf(message.fields.get(52)),
  };
  const paymentId = elements.get("03") ?? who.reference;
  const isCaptured = message.mti.startsWith("02");
  return {
    kind: "authorization",
    request: { ...who, paymentId, merchantReference: undefined, isCaptured, card, acquirer: "simiso", ...money },
  };
}

function hexOf(binary: string | undefined): string | undefined {
  return binary === undefined ? undefined : Buffer.from(binary, "latin1").toString("hex").toUpperCase();
}

function readReversal(message: HostMessage, elements: ReadonlyMap<string, string>, who: Who): HostRequest | undefined {
  const money = moneyOf(message);
  const originalReference = elements.get("02");
  const mti = originalType(message);
  if (money === undefined || originalReference === undefined || mti === undefined) return undefined;
  // The original as it was sent: its type decides what is undone.
  const originalOperation = kindOf(mti, message.fields.get(3));
  if (originalOperation === undefined || originalOperation === "reversal") return undefined;
  const authorizationReference = elements.get("04") ?? originalReference;
  const paymentId = elements.get("03") ?? authorizationReference;
  const request = { ...who, originalReference, originalOperation, authorizationReference, paymentId, ...money };
  return { kind: "reversal", request, original: { reference: originalReference, mti } };
}

function originalType({ fields }: HostMessage): string | undefined {
  return fields.get(90)?.slice(0, 4);
}

function moneyOf({ fields }: HostMessage): { amount: bigint; currency: string } | undefined {
  const amount = fields.get(4);
  const currency = currencyByNumber.get(fields.get(49) ?? "");
  return amount === undefined || currency === undefined ? undefined : { amount: BigInt(amount), currency };
}

export function readElements(data: string): ReadonlyMap<string, string> | undefined {
  const elements = new Map<string, string>();
  for (let at = 0; at < data.length; ) {
    const head = /^(\d\d)(\d\d)$/.exec(data.slice(at, at + 4));
    if (head === null) return undefined;
    const end = at + 4 + Number(head[2]);
    if (end > data.length) return undefined;
    elements.set(head[1] as string, data.slice(at + 4, end));
    at = end;
  }
  return elements;
}
