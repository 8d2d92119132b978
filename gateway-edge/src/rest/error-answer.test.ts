import { create } from "@bufbuild/protobuf";
import { OperationResultSchema } from "@florin/gen/payments/v1/payments";
import { AppError, type ErrorCode, errorCatalogue, errorCodes } from "@florin/kernel";
import { Compile } from "typebox/compile";
import { describe, expect, test } from "vitest";
import { faultAnswer, refusalAnswer } from "./error-answer.ts";
import { toEdgeFault } from "./framework-fault.ts";
import { nextRequestId } from "./request-id.ts";
import { errorAnswer } from "./schemas.ts";

const requestId = nextRequestId();
const isError = Compile(errorAnswer);
type ErrorBody = { readonly error: Readonly<Record<string, unknown>> };
const read = (body: string) => (JSON.parse(body) as ErrorBody).error;

describe("errors on the wire", () => {
  test.each(errorCodes)("%s has its status and type, as fault and as refusal", (code) => {
    const { http, type } = errorCatalogue[code];
    const fault = faultAnswer(new AppError(code, "m", { work: "not_done" }), requestId);
    const refusal = refusalAnswer(create(OperationResultSchema, { refusal: { code, message: "m" } }), requestId);
    for (const answer of [fault, refusal]) {
      expect(answer.status).toBe(http);
      expect(read(answer.body)).toMatchObject({ type, code, request_id: requestId });
      expect(isError.Errors(JSON.parse(answer.body))).toEqual([]);
      expect(answer.retryAfterS).toBe(http === 503 || http === 429 ? 1 : undefined);
    }
  });

  test("the body is, byte for byte, what is documented", () => {
    const id = "req_01hf7yat00000g40r40m30e27z";
    const fault = new AppError("parameter_missing", "currency is required", { work: "not_done", param: "currency" });
    expect(faultAnswer(fault, id).body).toBe(
      `{"error":{"type":"invalid_request","code":"parameter_missing","message":"currency is required","param":"currency","request_id":"${id}"}}`,
    );
    const refusal = { code: "card_declined", declineCode: "do_not_retry", message: 'The "card" was declined.' };
    expect(refusalAnswer(create(OperationResultSchema, { refusal }), id).body).toBe(
      `{"error":{"type":"card_error","code":"card_declined","decline_code":"do_not_retry","message":"The \\"card\\" was declined.","request_id":"${id}"}}`,
    );
  });

  test("waiting times are whole seconds, at least one", () => {
    const after = (retryAfterMs: number) =>
      faultAnswer(new AppError("rate_limited", "m", { work: "not_done", retryAfterMs }), requestId).retryAfterS;
    expect([after(1), after(1_000), after(1_001), after(59_999)]).toEqual([1, 1, 2, 60]);
  });

  test("a bug says nothing of itself, and a payment that is not found always says the same", () => {
    const texts = [
      new AppError("internal", "select * from keys", { work: "unknown", cause: new Error("x") }),
      toEdgeFault(new TypeError("boom")),
    ].map((fault) => faultAnswer(fault, requestId).body);
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).not.toMatch(/select|boom/);
    const refusal = { code: "payment_not_found", message: "of another merchant", param: "payment_id" };
    expect(refusalAnswer(create(OperationResultSchema, { refusal }), requestId)).toEqual(
      faultAnswer(new AppError("payment_not_found", "malformed", { work: "not_done" }), requestId),
    );
  });

  test.each([
    ["FST_ERR_CTP_INVALID_MEDIA_TYPE", "invalid_content_type"],
    ["FST_ERR_CTP_BODY_TOO_LARGE", "body_too_large"],
    ["FST_ERR_BAD_URL", "route_unknown"],
    ["HPE_HEADER_OVERFLOW", "header_too_large"],
    ["HPE_INVALID_METHOD", "parameter_invalid"],
    ["FST_ERR_SOMETHING_NEW", "internal"],
  ] satisfies [string, ErrorCode][])("the framework's %s is %s", (theirs, ours) => {
    expect(toEdgeFault(Object.assign(new Error("x"), { code: theirs, statusCode: 400 })).code).toBe(ours);
  });
});
