import { makeId, Secret } from "@florin/kernel";
import { testCards } from "@florin/kernel/test-cards";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Card } from "../../contract/connector.ts";
import { decodeMessage } from "../codec/decode.ts";
import { makeDialect } from "../codec/dialect.ts";
import { dialects } from "../codec/dialects.ts";
import { encodeMessage } from "../codec/encode.ts";
import { describeFault } from "../codec/fault.ts";
import { type IsoMessage, wipeMessage } from "../codec/message.ts";
import { identityOf } from "./identity.ts";
import { textInPrivateData, writePrivateData } from "./private-data.ts";
import {
  authorizeMessage,
  captureMessage,
  numericCurrency,
  type PaymentProfile,
  refundMessage,
  reversalMessage,
  voidMessage,
} from "./requests.ts";

const profile: PaymentProfile = {
  acquirerId: "12345678901",
  terminals: ["TERM0001", "TERM0002"],
  acceptorIdOf: () => "MERCHANT0000001",
  acceptorName: "FLORIN TEST SHOP        VIENNA        AT",
  merchantCategory: "5411",
  entryMode: "812",
  conditionCode: "59",
};
const id = (kind: Parameters<typeof makeId>[0], last: number) => makeId(kind, Date.UTC(2026, 10, 21, 14, 30, 45), Buffer.alloc(10, last));
const merchantId = id("merchant", 1);
const attempt = id("attempt", 2);
const card = (change: Partial<Card> = {}): Card => ({
  number: new Secret(Buffer.from(testCards.visa.number)),
  expMonth: 3,
  expYear: 2035,
  securityCode: new Secret(Buffer.from("123")),
  postalCode: "1010",
  addressLine1: 'Main "Street" 1',
  ...change,
});
const command = {
  reference: attempt,
  merchantId,
  paymentId: id("payment", 3),
  merchantReference: "",
  amount: 12_345n,
  currency: "EUR",
  capture: false,
};
const link = { authorizationReference: attempt, processorReference: "", merchantId };
const capture = { ...link, reference: id("capture", 4), amount: 400n, currency: "JPY" };
const refund = { ...capture, reference: id("refund", 5), reason: "returned", isPurchase: true };
const reversal = {
  reference: id("reversal", 6),
  originalReference: attempt,
  authorizationReference: attempt,
  merchantId,
  paymentId: command.paymentId,
  amount: 12_345n,
  currency: "EUR",
  isPurchase: false,
};
const messages: readonly (readonly [string, () => IsoMessage])[] = [
  ["authorization", () => authorizeMessage(profile, command, card())],
  ["purchase", () => authorizeMessage(profile, { ...command, capture: true }, card())],
  ["capture", () => captureMessage(profile, capture)],
  ["void", () => voidMessage(profile, { ...link, reference: id("void", 7) })],
  ["refund", () => refundMessage(profile, refund, "0200")],
  ["reversal", () => reversalMessage(profile, reversal, { originalMti: "0100", isRepeat: false })],
  ["reversal again", () => reversalMessage(profile, reversal, { originalMti: "0100", isRepeat: true })],
];
const text = (message: IsoMessage, field: number) => {
  const value = message.fields.get(field);
  return value instanceof Secret ? Buffer.from(value.expose()).toString("latin1") : String(value);
};

test("each operation has its type and processing code", () => {
  const types = messages.map(([name, make]) => [name, make().mti, text(make(), 3)]);
  expect(types).toEqual([
    ["authorization", "0100", "000000"],
    ["purchase", "0200", "000000"],
    ["capture", "0220", "000000"],
    ["void", "0400", "000000"],
    ["refund", "0200", "200000"],
    ["reversal", "0420", "000000"],
    ["reversal again", "0421", "000000"],
  ]);
});

describe.each(dialects.filter(({ version }) => version === "1987").map((data) => [data.name, data] as const))("in %s", (_name, data) => {
  const dialect = makeDialect(data);
  test.each(messages)("%s goes over the wire as it was made", (_operation, make) => {
    const message = make();
    const target = Buffer.alloc(1_024);
    const encoded = encodeMessage(dialect, message, target);
    if (encoded.kind === "refused") throw new Error(describeFault(encoded.fault));
    const decoded = decodeMessage(dialect, target.subarray(0, encoded.length));
    if (decoded.kind === "refused") throw new Error(describeFault(decoded.fault));
    for (const field of message.fields.keys()) expect([field, text(decoded.message, field)]).toEqual([field, text(message, field)]);
  });
});

test("an authorization carries the card once, its amount in twelve digits and its currency by number", () => {
  const message = authorizeMessage(profile, { ...command, amount: 999_999_999_999n }, card());
  expect([2, 4, 14, 49].map((field) => text(message, field))).toEqual([testCards.visa.number, "999999999999", "3503", "978"]);
  expect(text(message, 48)).toBe(`0130${attempt}0330${command.paymentId}110410101213Main Street 19203123`);
  expect(numericCurrency("JPY")).toBe("392");
});

test("text of the payer cannot become another subelement", () => {
  const odd = card({ postalCode: "1010\u00001", addressLine1: "9203999\r\n\t漢é".repeat(9), securityCode: undefined });
  const data = authorizeMessage(profile, command, odd).fields.get(48);
  expect(
    data instanceof Secret && [textInPrivateData(data, "92"), textInPrivateData(data, "12").length, textInPrivateData(data, "11")],
  ).toEqual(["", 20, "10101"]);
});

test("what comes after an authorization names it by type, number, time and institution, and opens no card", () => {
  const { stan, transmission } = identityOf(attempt, profile.terminals);
  for (const [name, make] of messages.slice(2)) {
    const message = make();
    expect(text(message, 90)).toBe(`${name === "refund" ? "0200" : "0100"}${stan}${transmission}${profile.acquirerId}00000000000`);
    expect(message.fields.has(2)).toBe(false);
    expect(text(message, 48)).toContain(`0230${attempt}`);
  }
});

describe("what belongs to an authorization comes from its terminal, under which hosts look it up:", () => {
  const terminals = Array.from({ length: 64 }, (_, index) => `TERM${String(index).padStart(4, "0")}`);
  const known = { ...profile, terminals };
  /** As an original is found: by terminal, type, trace number and time. */
  const addressOf = (message: IsoMessage) => text(message, 41) + message.mti + text(message, 11) + text(message, 7);
  const originalIn = (message: IsoMessage) => text(message, 41) + text(message, 90).slice(0, 20);
  const hold = authorizeMessage(known, command, card());
  const captured = captureMessage(known, capture);
  const voided = { ...link, reference: id("void", 7) };
  const reverse = (originalReference: string, originalMti: string) =>
    reversalMessage(known, { ...reversal, originalReference }, { originalMti, isRepeat: false });

  test.each([
    ["a capture", captured, hold],
    ["a void", voidMessage(known, voided), hold],
    ["a refund", refundMessage(known, refund, "0100"), hold],
    ["a reversal", reverse(attempt, "0100"), hold],
    ["a reversal of a capture", reverse(capture.reference, "0220"), captured],
    ["a reversal of a void", reverse(voided.reference, "0400"), voidMessage(known, voided)],
    ["a reversal of a refund", reverse(refund.reference, "0200"), refundMessage(known, refund, "0100")],
  ] as const)("%s", (_name, message, original) => {
    expect(text(message, 41)).toBe(identityOf(attempt, terminals).terminal);
    expect(originalIn(message)).toBe(addressOf(original));
  });

  test("although their own references would name others", () => {
    const own = [capture.reference, voided.reference, refund.reference, reversal.reference].map(
      (one) => identityOf(one, terminals).terminal,
    );
    expect(own).not.toContain(identityOf(attempt, terminals).terminal);
  });
});

test("a reversal sent again is the same message but for its type", () => {
  const [first, again] = [false, true].map((isRepeat) => reversalMessage(profile, reversal, { originalMti: "0100", isRepeat }));
  for (const field of first?.fields.keys() ?? []) expect(text(again as IsoMessage, field)).toBe(text(first as IsoMessage, field));
});

describe("subelements", () => {
  test("are found by their tags", () => {
    const tags = fc.uniqueArray(fc.stringMatching(/^\d\d$/), { maxLength: 9 });
    fc.assert(
      fc.property(tags, fc.array(fc.stringMatching(/^[ -~]{0,99}$/), { minLength: 9, maxLength: 9 }), (all, values) => {
        const data = writePrivateData(all.map((tag, index) => ({ tag, value: values[index] as string })));
        expect(all.map((tag) => textInPrivateData(data, tag))).toEqual(all.map((_tag, index) => values[index]));
      }),
    );
  });

  test("that are none are nothing, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => textInPrivateData(new Secret(new Uint8Array(bytes)), "92").length <= 99),
    );
    for (const odd of ["92", "9299123", "92-1123", "92:0"]) expect(textInPrivateData(new Secret(Buffer.from(odd)), "92")).toBe("");
  });
});

describe("a PIN block", () => {
  const block = Buffer.from("0F1E2D3C4B5A6978", "hex");
  const pin = (keySerialNumber: string) => ({ block: new Secret(Buffer.from(block), "[PIN block]"), keySerialNumber });
  const decoded = (message: IsoMessage) => {
    const dialect = makeDialect(dialects.find(({ name }) => name === "ascii-binary-1987") ?? required());
    const bytes = Buffer.alloc(2_048);
    const encoded = encodeMessage(dialect, message, bytes);
    if (encoded.kind === "refused") throw new Error(describeFault(encoded.fault));
    const read = decodeMessage(dialect, bytes.subarray(0, encoded.length));
    if (read.kind === "refused") throw new Error(describeFault(read.fault));
    return read.message.fields;
  };
  const required = (): never => {
    throw new Error("the dialect is there");
  };

  test("goes on as it came, with its key's serial number, and the entry mode says that there was a PIN", () => {
    const message = authorizeMessage(profile, command, card({ pin: pin("FFFF9876543210E00008") }));
    const fields = decoded(message);
    const [got, data] = [fields.get(52), fields.get(48)];
    expect(got instanceof Secret && Buffer.from(got.expose()).equals(block)).toBe(true);
    expect(data instanceof Secret && textInPrivateData(data, "93")).toBe("FFFF9876543210E00008");
    expect(fields.get(22)).toBe("811");
  });

  test("without a serial number has none, and a card without one is as before", () => {
    const data = decoded(authorizeMessage(profile, command, card({ pin: pin("") }))).get(48);
    expect(data instanceof Secret && textInPrivateData(data, "93")).toBe("");
    const plain = decoded(authorizeMessage(profile, command, card()));
    expect([plain.has(52), plain.get(22)]).toEqual([false, "812"]);
  });

  test("is wiped with its message, and prints as nothing of it", () => {
    const message = authorizeMessage(profile, command, card({ pin: pin("") }));
    const held = message.fields.get(52) as Secret;
    expect(String(held)).toBe("[PIN block]");
    wipeMessage(message);
    expect(held.expose().every((byte) => byte === 0)).toBe(true);
  });
});
