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
