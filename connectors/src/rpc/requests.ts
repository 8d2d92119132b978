/** Checks what comes in. A refusal here is `not_done`: nothing was opened and nothing was sent. */
import type {
  AuthorizeRequest,
  CaptureRequest,
  GrantLinksRequest,
  QueryRequest,
  RefundRequest,
  ReverseRequest,
  VoidRequest,
} from "@florin/gen/connectors/v1/connectors";
import { amountMinorMax, type IdKind, invalid, isCurrency, isId } from "@florin/kernel";
import type { GrantRequest } from "../app/link-grants.ts";
import type {
  AuthorizationLink,
  AuthorizeCommand,
  CaptureCommand,
  RefundCommand,
  ReverseCommand,
  VoidCommand,
} from "../contract/connector.ts";
import { isUsableReference } from "../contract/outcome.ts";
import { operationKindOf, type Question } from "../contract/question.ts";

const tokenPattern = /^tok_[a-z0-9_]{1,64}$/;
const merchantReferenceLengthMax = 255;
const reasonLengthMax = 1_000;
const grantMsMax = 60_000;
/** 16 processors with 16 secrets each. */
const secretReferencesMax = 256;
const secretReferenceLengthMax = 2_048;
const operationKinds: readonly IdKind[] = ["attempt", "capture", "void", "refund"];

export function toAuthorizeCommand(request: AuthorizeRequest): AuthorizeCommand {
  checkId("attempt", request.reference, "reference");
  checkId("merchant", request.merchantId, "merchant_id");
  checkId("payment", request.paymentId, "payment_id");
  checkMoney(request);
  if (!tokenPattern.test(request.token)) throw invalid("parameter_invalid", "token is not a vault token", "token");
  if (request.merchantReference.length > merchantReferenceLengthMax || request.merchantReference.includes("\0"))
    throw invalid(
      "parameter_invalid",
      `merchant_reference is at most ${merchantReferenceLengthMax} characters without NUL`,
      "merchant_reference",
    );
  const { reference, merchantId, paymentId, merchantReference, amount, currency, capture } = request;
  return { reference, merchantId, paymentId, merchantReference, amount, currency, capture };
}

export function toCaptureCommand(request: CaptureRequest): CaptureCommand {
  checkId("capture", request.reference, "reference");
  checkMoney(request);
  return { ...toLink(request), reference: request.reference, amount: request.amount, currency: request.currency };
}

export function toVoidCommand(request: VoidRequest): VoidCommand {
  checkId("void", request.reference, "reference");
  return { ...toLink(request), reference: request.reference };
}

export function toRefundCommand(request: RefundRequest): RefundCommand {
  checkId("refund", request.reference, "reference");
  checkMoney(request);
  if (request.reason.length > reasonLengthMax)
    throw invalid("parameter_invalid", `reason is at most ${reasonLengthMax} characters`, "reason");
  const { reference, amount, currency, reason, isPurchase } = request;
  return { ...toLink(request), reference, amount, currency, reason, isPurchase };
}

export function toReverseCommand(request: ReverseRequest): ReverseCommand {
  checkId("reversal", request.reference, "reference");
  checkReference(request.originalReference, "original_reference");
  checkId("attempt", request.authorizationReference, "authorization_reference");
  checkId("merchant", request.merchantId, "merchant_id");
  checkId("payment", request.paymentId, "payment_id");
  checkMoney(request);
  const { reference, originalReference, authorizationReference, merchantId, paymentId, amount, currency, isPurchase } = request;
  return { reference, originalReference, authorizationReference, merchantId, paymentId, amount, currency, isPurchase };
}

/** A void has no amount, and a switch of an earlier release names none: then the answer is not compared with one. */
export function toQuestion({ reference, amount, currency }: QueryRequest): Question {
  checkReference(reference);
  const about = { reference, kind: operationKindOf(reference) };
  if (amount === 0n && currency === "") return { ...about, amount: undefined, currency: undefined };
  checkMoney({ amount, currency });
  return { ...about, amount, currency };
}

export function toGrantRequest(request: GrantLinksRequest): GrantRequest {
  const { connector, term, validForMs, processId, clockMs } = request;
  if (processId !== "") {
    if (term < 1n) throw invalid("parameter_invalid", "term counts from 1", "term");
    if (validForMs < 1 || validForMs > grantMsMax) throw invalid("parameter_invalid", `valid_for_ms is 1 to ${grantMsMax}`, "valid_for_ms");
  }
  return { connector, term, validForMs, processId, clockMs: Number(clockMs) };
}

/** Names nothing of what it refuses: somebody may have put the secret itself there. */
export function checkSecretReferences(references: readonly { processor: string; name: string; reference: string }[]): void {
  const fits = references.every(
    ({ processor, name, reference }) =>
      /^[a-z][a-z0-9_]{0,31}$/.test(processor) && /^[A-Za-z][A-Za-z0-9]{0,31}$/.test(name) && reference.length <= secretReferenceLengthMax,
  );
  if (!fits || references.length > secretReferencesMax)
    throw invalid(
      "parameter_invalid",
      `references are at most ${secretReferencesMax}, each with a processor, a name and a place`,
      "references",
    );
}

/** The reference of any operation. */
function checkReference(reference: string, param = "reference"): void {
  if (!operationKinds.some((kind) => isId(kind, reference))) throw invalid("parameter_invalid", `${param} is not an operation's id`, param);
}

function toLink(request: { authorizationReference: string; processorReference: string; merchantId: string }): AuthorizationLink {
  checkId("attempt", request.authorizationReference, "authorization_reference");
  checkId("merchant", request.merchantId, "merchant_id");
  if (!isUsableReference(request.processorReference))
    throw invalid("parameter_invalid", "processor_reference is at most 64 printable characters", "processor_reference");
  const { authorizationReference, processorReference, merchantId } = request;
  return { authorizationReference, processorReference, merchantId };
}

function checkId(kind: IdKind, value: string, param: string): void {
  if (!isId(kind, value)) throw invalid("parameter_invalid", `${param} is not an id of its kind`, param);
}

function checkMoney({ amount, currency }: { amount: bigint; currency: string }): void {
  if (amount < 1n || amount > amountMinorMax) throw invalid("amount_invalid", `amount is 1 to ${amountMinorMax} minor units`, "amount");
  if (!isCurrency(currency)) throw invalid("currency_unknown", "currency is not an active ISO 4217 code", "currency");
}
