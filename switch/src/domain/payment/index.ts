export {
  type Attempt,
  type AttemptContext,
  blockAuthorization,
  type EarlierDecline,
  type EndedOutcome,
  mayReroute,
  recordAuthorization,
  recordReversal,
  requestAuthorization,
  rerouteAuthorization,
  tokenParam,
  tokenRefusals,
} from "./authorize.ts";
export { type RequestCapture, recordCapture, requestCapture } from "./capture.ts";
export { type CreatePayment, createPayment, draft } from "./create.ts";
export { type AmountTotals, type EventType, eventTypes, type Origin, type PaymentEvent, type Refusal } from "./event.ts";
export { beingUndone, findOpen } from "./operation.ts";
export { isAboutProcessor, isQueueFull, type Outcome, type ProcessorWords } from "./outcome.ts";
export {
  type Capture,
  type CaptureMode,
  type CaptureStatus,
  type CardSummary,
  type Decline,
  type FraudCheck,
  type Mode,
  type OpenOperation,
  type OperationKind,
  type Payment,
  type ProcessorResponse,
  type Refund,
  type RefundStatus,
  type RiskLevel,
  remaining,
} from "./payment.ts";
export { type RequestRefund, recordRefund, requestRefund } from "./refund.ts";
export { type RequestReversal, recordReversed, requestReversal } from "./reverse.ts";
export { type Hold, holdOf, type Status, type StatusFacts } from "./status.ts";
export { type Decision, markDegraded, type Recording, type Transition } from "./transition.ts";
export { recordVoid, requestVoid } from "./void.ts";
