/**
 * Payment operations as messages of ISO 8583:1987. Pure: command in, message out.
 *
 * 0100 asks for a hold and 0200 for a purchase in one step; 0220 completes a hold, in parts too; 0400 voids it; 0200 with processing code 20
 * refunds; 0420, or 0421 when it may have been sent before, undoes an operation whatever became of it. Everything after an authorization
 * names it by DE 90 (type, trace number, time, institutions) and our reference, and comes from its terminal (DE 41), under which hosts look it
 * up: no card is opened for it.
 *
 * DE 48 carries our reference (01), for later operations the one that they are about (02), with an authorization and a reversal the payment (03), with
 * a reversal the authorization (04), and with a card: security code (92), postal code (11) and street (12) for the address check. A PIN goes as it came,
 * encrypted, in DE 52; which key it was stands in DE 48 (93).
 */
import { assert, currencies, isCurrency, type Secret } from "@florin/kernel";
import type { AuthorizeCommand, CaptureCommand, Card, RefundCommand, ReverseCommand, VoidCommand } from "../../contract/connector.ts";
import type { FieldValue, IsoMessage } from "../codec/message.ts";
import { identityOf } from "./identity.ts";
import { type SubElement, writePrivateData } from "./private-data.ts";

/** How one processor knows this house. */
export type PaymentProfile = {
  /** DE 32, up to 11 digits. */
  readonly acquirerId: string;
  /** DE 41, up to 8 characters each. */
  readonly terminals: readonly string[];
  /** DE 42 of a merchant, up to 15 characters. */
  readonly acceptorIdOf: (merchantId: string) => string;
  /** DE 43, up to 40 characters. */
  readonly acceptorName: string;
  /** DE 18. */
  readonly merchantCategory: string;
  /** DE 22 and 25; electronic commerce by common practice: 812 and 59. */
  readonly entryMode: string;
  readonly conditionCode: string;
};

const purchase = "000000";
const refundOfPurchase = "200000";
/** Third digit of DE 22: where the card was read a PIN could be entered. */
const pinEntered = "1";
const postalCodeMax = 9;
const streetMax = 20;

export function authorizeMessage(profile: PaymentProfile, command: AuthorizeCommand, card: Card): IsoMessage {
  const fields = operationFields(profile, command.reference, purchase, command);
  const month = String(card.expMonth).padStart(2, "0");
  fields.set(2, card.number).set(14, `${String(card.expYear).slice(-2)}${month}`);
  fields.set(18, profile.merchantCategory).set(22, profile.entryMode).set(25, profile.conditionCode).set(43, profile.acceptorName);
  fields.set(42, profile.acceptorIdOf(command.merchantId)).set(48, authorizeData(command, card));
  if (card.pin !== undefined) fields.set(52, card.pin.block).set(22, `${profile.entryMode.slice(0, 2)}${pinEntered}`);
  return { mti: command.capture ? "0200" : "0100", fields };
}

function authorizeData({ reference, paymentId }: AuthorizeCommand, card: Card): Secret {
  const elements: SubElement[] = [
    { tag: "01", value: reference },
    { tag: "03", value: paymentId },
  ];
  const postalCode = plainText(card.postalCode, postalCodeMax);
  const street = plainText(card.addressLine1, streetMax);
  if (postalCode !== "") elements.push({ tag: "11", value: postalCode });
  if (street !== "") elements.push({ tag: "12", value: street });
  if (card.securityCode !== undefined) elements.push({ tag: "92", value: card.securityCode });
  if (card.pin !== undefined && card.pin.keySerialNumber !== "") elements.push({ tag: "93", value: card.pin.keySerialNumber });
  return writePrivateData(elements);
}

/** Letters, digits and blanks: what address checks compare, and nothing that could be taken for something else. */
function plainText(text: string, lengthMax: number): string {
  return text
    .replaceAll(/[^A-Za-z0-9 ]/g, "")
    .trim()
    .slice(0, lengthMax);
}

export function captureMessage(profile: PaymentProfile, command: CaptureCommand): IsoMessage {
  const fields = operationFields(profile, command.reference, purchase, command);
  return about(profile, { mti: "0220", fields }, { ...command, originalReference: command.authorizationReference, originalMti: "0100" });
}

/** Without an amount: a void releases all that is left. */
export function voidMessage(profile: PaymentProfile, command: VoidCommand): IsoMessage {
  const fields = operationFields(profile, command.reference, purchase, undefined);
  return about(profile, { mti: "0400", fields }, { ...command, originalReference: command.authorizationReference, originalMti: "0100" });
}

/** `authorizedBy`: whether the payment was a hold that was completed (0100), or a purchase in one step (0200). */
export function refundMessage(profile: PaymentProfile, command: RefundCommand, authorizedBy: "0100" | "0200"): IsoMessage {
  const fields = operationFields(profile, command.reference, refundOfPurchase, command);
  return about(
    profile,
    { mti: "0200", fields },
    { ...command, originalReference: command.authorizationReference, originalMti: authorizedBy },
  );
}

/** `originalMti`: the type that the operation was sent with. `isRepeat`: this advice may have been sent before. */
export function reversalMessage(
  profile: PaymentProfile,
  command: ReverseCommand,
  o: { readonly originalMti: string; readonly isRepeat: boolean },
): IsoMessage {
  const isRefund = command.originalReference.startsWith("ref_");
  const fields = operationFields(profile, command.reference, isRefund ? refundOfPurchase : purchase, command);
  const more = [
    { tag: "03", value: command.paymentId },
    { tag: "04", value: command.authorizationReference },
  ];
  return about(profile, { mti: o.isRepeat ? "0421" : "0420", fields }, { ...command, originalMti: o.originalMti, more });
}

type Money = { readonly amount: bigint; readonly currency: string };

function operationFields(
  profile: PaymentProfile,
  reference: string,
  processingCode: string,
  money: Money | undefined,
): Map<number, FieldValue> {
  const { stan, terminal, retrievalReference, transmission } = identityOf(reference, profile.terminals);
  const fields = new Map<number, FieldValue>([
    [3, processingCode],
    [7, transmission],
    [11, stan],
    [12, transmission.slice(4)],
    [13, transmission.slice(0, 4)],
    [32, profile.acquirerId],
    [37, retrievalReference],
    [41, terminal],
  ]);
  if (money !== undefined) fields.set(4, String(money.amount).padStart(12, "0")).set(49, numericCurrency(money.currency));
  return fields;
}

/** ISO 4217 by number: "978" is EUR. */
export function numericCurrency(code: string): string {
  assert(isCurrency(code), "a currency is an active ISO 4217 code");
  return currencies[code].numeric;
}

type Original = {
  readonly reference: string;
  /** Whatever it is about, in the end it is about this one: all that belongs to an authorization comes from one terminal. */
  readonly authorizationReference: string;
  readonly originalReference: string;
  readonly originalMti: string;
  readonly merchantId: string;
  readonly more?: readonly SubElement[];
};

/** Adds what the message is about. The trace number stays its own; whoever has it at that terminal goes first. */
function about(profile: PaymentProfile, { mti, fields }: { mti: string; fields: Map<number, FieldValue> }, original: Original): IsoMessage {
  const { stan, transmission } = identityOf(original.originalReference, profile.terminals);
  const { terminal } = identityOf(original.authorizationReference, profile.terminals);
  const institutions = profile.acquirerId.padStart(11, "0") + "0".repeat(11);
  fields.set(41, terminal).set(42, profile.acceptorIdOf(original.merchantId));
  fields.set(
    48,
    writePrivateData([
      { tag: "01", value: original.reference },
      { tag: "02", value: original.originalReference },
      ...(original.more ?? []),
    ]),
  );
  fields.set(90, original.originalMti + stan + transmission + institutions);
  return { mti, fields };
}
