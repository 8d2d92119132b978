import { create } from "@bufbuild/protobuf";
import { CaptureRequestSchema } from "@florin/gen/connectors/v1/connectors";
import { makeId } from "@florin/kernel";
import { expect, test } from "vitest";
import { outcomeToWire } from "./outcome-mapping.ts";
import { toCaptureCommand } from "./requests.ts";

const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), Buffer.alloc(10, 1));
const captureOf = (processorReference: string) =>
  create(CaptureRequestSchema, {
    connector: "simpay",
    ...{ reference: newId("capture"), authorizationReference: newId("attempt"), merchantId: newId("merchant") },
    ...{ processorReference, amount: 1_000n, currency: "EUR" },
  });

test.each([
  ["simpay_1~", "simpay_1~"],
  ["", ""],
  ["PAY 0001", ""],
  ["pay_\u00e9", ""],
  ["x".repeat(65), ""],
])("the processor's id %j is passed on as %j, so that what is approved can be captured", (processorReference, passedOn) => {
  const words = { processorReference, responseCode: "00", authCode: "A1", avs: "", cvv: "" };
  const wire = outcomeToWire({ kind: "approved", words, isFinal: true });
  expect(wire).toMatchObject({ ...words, processorReference: passedOn });
  expect(toCaptureCommand(captureOf(wire.processorReference ?? ""))).toMatchObject({ processorReference: passedOn });
});

test.each(["processorReference", "responseCode", "authCode"] as const)("a card number in the %s goes no further", (name) => {
  const words = { processorReference: "sp_1", responseCode: "00", authCode: "A1", avs: "match", cvv: "match" };
  for (const word of ["4242424242424242", "card 4000 0000 0000 9995", "PAN=5555555555554444"]) {
    const said = { ...words, [name]: word };
    for (const outcome of [
      { kind: "approved", words: said, isFinal: true },
      { kind: "declined", words: said, reason: "do_not_honor" },
      { kind: "unknown", cause: "processor_fault", words: said },
    ] as const)
      expect(outcomeToWire(outcome)).toMatchObject({ ...words, [name]: "" });
  }
});
